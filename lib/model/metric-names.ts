/**
 * Units that the usual names of metrics stand for. A guess, and shown as one: so only names are here whose values have
 * the same unit in nearly all codecs. Pressure, distance, energy, current or speed are not among them.
 */
import { parseUnit, type Unit } from './units';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  '°C': ['temperature', 'temp', 'tmp', 'dew point', 'dewpoint', 'air temp'],
  '%': [
    'humidity',
    'relative humidity',
    'rh',
    'hum',
    'soil moisture',
    'soil humidity',
    'battery level',
    'battery percent',
    'battery percentage',
    'battery soc',
    'state of charge',
    'valve position',
  ],
  V: ['battery voltage', 'battery volt', 'bat voltage', 'supply voltage', 'voltage'],
  ppm: ['co2', 'co2 concentration', 'eco2'],
  'µg/m³': ['pm1', 'pm1 0', 'pm2 5', 'pm25', 'pm4', 'pm10', 'pm10 0'],
  hPa: ['barometric pressure', 'air pressure', 'atmospheric pressure', 'barometer'],
  lx: ['illuminance', 'illumination', 'lux'],
  dBm: ['rssi'],
  dB: ['snr', 'noise level', 'sound level'],
  '°': ['latitude', 'longitude', 'wind direction', 'azimuth'],
  m: ['altitude'],
  'm/s': ['wind speed'],
  mm: ['rainfall', 'precipitation'],
  'W/m²': ['solar radiation', 'irradiance', 'global radiation'],
  pH: ['ph', 'p h', 'ph value', 'soil ph'],
  'Bq/m³': ['radon'],
};

/** What a name may end with that says nothing about the unit: which sensor, which statistic. */
const QUALIFIERS = new Set(
  'min max avg average mean median in out inside outside internal external indoor outdoor ambient setpoint target current value sensor probe'.split(
    ' ',
  ),
);

/** Last words of names that are units themselves. Letters that also name a phase or an axis are not among them. */
const UNIT_WORDS = new Set(
  'celsius fahrenheit percent pct mv ma kw wh kwh varh kvarh kva kvar hz hpa kpa bar mbar psi ppm ppb lux lx dbm mm cm km m3 kmh volts'.split(
    ' ',
  ),
);
/** Units of one letter, which only stand for one behind certain words: `BatV`, `temp_c`; but not `phase_c`. */
const LETTERS: Readonly<Record<string, { readonly unit: string; readonly behind: RegExp }>> = {
  c: { unit: '°C', behind: /^te?mp/ },
  f: { unit: '°F', behind: /^te?mp/ },
  k: { unit: 'K', behind: /^te?mp/ },
  v: { unit: 'V', behind: /^(?:bat|batt|battery|supply|adc)$/ },
  w: { unit: 'W', behind: /^power$/ },
};

const UNIT_OF_NAME: ReadonlyMap<string, Unit> = new Map(
  Object.entries(NAMES).flatMap(([symbol, names]) => {
    const unit = parseUnit(symbol);
    return unit === undefined ? [] : names.map((name): [string, Unit] => [name, unit]);
  }),
);

/** `BatV`, `bat_v`, `bat-v` → bat, v. */
function words(name: string): string[] {
  return name
    .replaceAll(/(?<lower>[a-z])(?=[A-Z])/g, '$<lower> ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

function byLastWord(list: readonly string[]): Unit | undefined {
  const last = list.at(-1);
  const before = list.at(-2);
  if (last === undefined || before === undefined) return undefined;
  if (UNIT_WORDS.has(last)) return parseUnit(last);
  const letter = Object.hasOwn(LETTERS, last) ? LETTERS[last] : undefined;
  return letter?.behind.test(before) === true ? parseUnit(letter.unit) : undefined;
}

/** The longest end of the name that is a usual name: of "soil temperature" it is temperature. */
function byEnd(list: readonly string[]): Unit | undefined {
  for (let start = 0; start < list.length; start++) {
    const found = UNIT_OF_NAME.get(list.slice(start).join(' '));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The unit that the name of a metric most likely stands for; `undefined` if it could be one of several. */
export function guessUnit(name: string): Unit | undefined {
  const list = words(name);
  while (list.length > 0) {
    const found = byLastWord(list) ?? byEnd(list);
    if (found !== undefined) return found;
    const last = list.at(-1) ?? '';
    // temperature_0, humidity_max
    if (!QUALIFIERS.has(last) && !/^\d{1,2}$/.test(last)) return undefined;
    list.pop();
  }
  return undefined;
}
