/**
 * Units of measurement that LoRaWAN sensors use, by UNECE Recommendation 20. Codes, symbols and names are those of the
 * OPC Foundation's list (UNECE_to_OPCUA.csv), so that a client which knows that list shows what it is used to; what the
 * list leaves out comes from the Recommendation itself.
 */

export interface Unit {
  /** Common code of UNECE Recommendation 20; `undefined` where it has none. */
  readonly code: string | undefined;
  /** For people, after a number: `°C`. */
  readonly symbol: string;
  /** English name. */
  readonly name: string;
}

/** UnitId where a unit has no code (Part 8 §5.6.4.3). */
const NO_UNIT_ID = -1;
/** Longest symbol of a unit that only a user knows. */
const MAX_SYMBOL_LENGTH = 32;

/** UnitId of OPC UA: the characters of the common code as the bytes of a number (Part 8 §5.6.4.3). */
export function unitId({ code }: Unit): number {
  if (code === undefined) return NO_UNIT_ID;
  return Buffer.from(code, 'ascii').reduce((id, byte) => id * 256 + byte, 0);
}

const unit = (code: string | undefined, symbol: string, name: string): Unit => ({ code, symbol, name });

/** Units that the gateway itself names. */
export const UNITS = {
  celsius: unit('CEL', '°C', 'degree Celsius'),
  percent: unit('P1', '%', 'percent'),
  volt: unit('VLT', 'V', 'volt'),
  decibel: unit('2N', 'dB', 'decibel'),
  decibelMilliwatt: unit('DBM', 'dBm', 'decibel-milliwatts'),
  hertz: unit('HTZ', 'Hz', 'hertz'),
  second: unit('SEC', 's', 'second [unit of time]'),
  millisecond: unit('C26', 'ms', 'millisecond'),
  byte: unit('AD', 'byte', 'byte'),
  degree: unit('DD', '°', 'degree [unit of angle]'),
  metre: unit('MTR', 'm', 'metre'),
} as const satisfies Record<string, Unit>;

/** A unit with what people write for it besides its symbol; spaces, dots and the height of digits do not matter. */
const WRITTEN: readonly (readonly [Unit, ...string[]])[] = [
  [UNITS.celsius, 'C', 'degC', 'deg C', 'celsius', 'degree Celsius', 'degrees Celsius', '°Celsius', 'Grad C'],
  [unit('KEL', 'K', 'kelvin'), 'kelvin'],
  [unit('FAH', '°F', 'degree Fahrenheit'), 'degF', 'fahrenheit', 'degree Fahrenheit', 'degrees Fahrenheit'],
  [UNITS.percent, 'percent', 'pct', '%RH', '%rH', '%r.h.', 'RH%', '% rF', '%HR', '%vol', '%VWC', 'Prozent'],
  [unit('NX', '‰', 'part per thousand'), 'permille'],
  [unit('59', 'ppm', 'part per million')],
  [unit('61', 'ppb', 'part per billion (US)')],
  [unit('C62', '1', 'one'), 'count', 'counts', 'pcs', 'pieces', 'pulses', 'Stk'],
  // Electricity
  [UNITS.volt, 'volt', 'volts'],
  [unit('2Z', 'mV', 'millivolt'), 'millivolt', 'millivolts'],
  [unit('D82', 'µV', 'microvolt'), 'uV'],
  [unit('KVT', 'kV', 'kilovolt')],
  [unit('AMP', 'A', 'ampere'), 'ampere', 'amperes', 'amp', 'amps'],
  [unit('4K', 'mA', 'milliampere'), 'milliampere', 'milliamps'],
  [unit('B84', 'µA', 'microampere'), 'uA'],
  [unit('B22', 'kA', 'kiloampere')],
  [unit('AMH', 'A·h', 'ampere hour')],
  [unit('E09', 'mA·h', 'milliampere hour')],
  [unit('WTT', 'W', 'watt'), 'watt', 'watts'],
  [unit('C31', 'mW', 'milliwatt'), 'milliwatt'],
  [unit('KWT', 'kW', 'kilowatt'), 'kilowatt'],
  [unit('MAW', 'MW', 'megawatt'), 'megawatt'],
  [unit('D46', 'V·A', 'volt - ampere')],
  [unit('KVA', 'kV·A', 'kilovolt - ampere')],
  [unit('D44', 'var', 'var')],
  [unit('KVR', 'kvar', 'kilovar')],
  [unit('WHR', 'W·h', 'watt hour'), 'watt hour', 'watthours'],
  [unit('KWH', 'kW·h', 'kilowatt hour'), 'kilowatt hour', 'kilowatthours'],
  [unit('MWH', 'MW·h', 'megawatt hour (1000 kW.h)')],
  [unit(undefined, 'var·h', 'var hour')],
  [unit('K3', 'kvar·h', 'kilovolt ampere reactive hour')],
  [unit('OHM', 'Ω', 'ohm'), 'ohm', 'ohms'],
  [unit('B49', 'kΩ', 'kiloohm'), 'kohm'],
  [unit('B75', 'MΩ', 'megaohm'), 'Mohm'],
  [unit('SIE', 'S', 'siemens'), 'siemens'],
  [unit('G42', 'µS/cm', 'microsiemens per centimetre'), 'uS/cm'],
  [unit('H61', 'mS/cm', 'millisiemens per centimetre')],
  [UNITS.hertz, 'hertz'],
  [unit('KHZ', 'kHz', 'kilohertz')],
  [unit('MHZ', 'MHz', 'megahertz')],
  [unit('A86', 'GHz', 'gigahertz')],
  [unit('D33', 'T', 'tesla'), 'tesla'],
  [unit('C29', 'mT', 'millitesla')],
  [unit('D81', 'µT', 'microtesla'), 'uT'],
  [unit('D50', 'V/m', 'volt per metre')],
  // Energy
  [unit('JOU', 'J', 'joule'), 'joule'],
  [unit('KJO', 'kJ', 'kilojoule')],
  [unit('3B', 'MJ', 'megajoule')],
  [unit('GV', 'GJ', 'gigajoule')],
  [unit('D54', 'W/m²', 'watt per square metre')],
  // Pressure and force
  [unit('PAL', 'Pa', 'pascal'), 'pascal'],
  [unit('A97', 'hPa', 'hectopascal'), 'hectopascal'],
  [unit('KPA', 'kPa', 'kilopascal'), 'kilopascal'],
  [unit('MPA', 'MPa', 'megapascal'), 'megapascal'],
  [unit('BAR', 'bar', 'bar [unit of pressure]')],
  [unit('MBR', 'mbar', 'millibar'), 'millibar'],
  [unit('PS', 'lbf/in²', 'pound-force per square inch'), 'psi'],
  [unit('HN', 'mm Hg', 'conventional millimetre of mercury')],
  [unit('NEW', 'N', 'newton'), 'newton'],
  [unit('B47', 'kN', 'kilonewton')],
  [unit('NU', 'N·m', 'newton metre')],
  // Length, area, volume
  [UNITS.metre, 'metre', 'meter', 'metres', 'meters'],
  [unit('4H', 'µm', 'micrometre (micron)'), 'um'],
  [unit('MMT', 'mm', 'millimetre'), 'millimetre', 'millimeter'],
  [unit('CMT', 'cm', 'centimetre'), 'centimetre', 'centimeter'],
  [unit('KMT', 'km', 'kilometre'), 'kilometre', 'kilometer'],
  [unit('INH', 'in', 'inch'), 'inch'],
  [unit('FOT', 'ft', 'foot'), 'feet', 'foot'],
  [unit('MTK', 'm²', 'square metre'), 'sqm'],
  [unit('MTQ', 'm³', 'cubic metre'), 'cbm', 'cubic metre', 'cubic meter'],
  [unit('LTR', 'l', 'litre'), 'L', 'ltr', 'litre', 'liter', 'litres', 'liters'],
  [unit('MLT', 'ml', 'millilitre'), 'mL'],
  [unit('HLT', 'hl', 'hectolitre')],
  [unit('GLL', 'gal (US)', 'gallon (US)'), 'gal', 'gallon', 'gallons'],
  // Flow and movement
  [unit('G51', 'l/s', 'litre per second'), 'L/s'],
  [unit('L2', 'l/min', 'litre per minute'), 'L/min', 'lpm'],
  [unit('E32', 'l/h', 'litre per hour'), 'L/h', 'lph'],
  [unit('MQS', 'm³/s', 'cubic metre per second')],
  [unit('MQH', 'm³/h', 'cubic metre per hour'), 'm³/hr', 'cbm/h'],
  [unit('G52', 'm³/d', 'cubic metre per day')],
  [unit('KGS', 'kg/s', 'kilogram per second')],
  [unit('E93', 'kg/h', 'kilogram per hour')],
  [unit('C16', 'mm/s', 'millimetre per second')],
  [unit('MTS', 'm/s', 'metre per second'), 'mps'],
  [unit('KMH', 'km/h', 'kilometre per hour'), 'kmh', 'kph'],
  [unit('HM', 'mile/h', 'mile per hour (statute mile)'), 'mph'],
  [unit('KNT', 'kn', 'knot'), 'kt', 'knots'],
  [unit('H67', 'mm/h', 'millimetre per hour')],
  [unit('MSK', 'm/s²', 'metre per second squared')],
  [unit('K40', 'gn', 'standard acceleration of free fall')],
  [unit('RPM', 'r/min', 'revolutions per minute'), 'rpm', 'U/min', 'tr/min'],
  [unit('C94', 'min⁻¹', 'reciprocal minute'), '1/min'],
  [UNITS.degree, 'deg', 'degree', 'degrees', 'Grad'],
  [unit('C81', 'rad', 'radian')],
  [unit('E96', '°/s', 'degree per second'), 'deg/s'],
  // Mass and concentration
  [unit('GRM', 'g', 'gram'), 'gram'],
  [unit('MGM', 'mg', 'milligram')],
  [unit('KGM', 'kg', 'kilogram'), 'kilogram'],
  [unit('TNE', 't', 'tonne (metric ton)'), 'tonne'],
  [unit('A93', 'g/m³', 'gram per cubic metre')],
  [unit('GP', 'mg/m³', 'milligram per cubic metre')],
  [unit('GQ', 'µg/m³', 'microgram per cubic metre'), 'ug/m³'],
  [unit('M1', 'mg/l', 'milligram per litre'), 'mg/L'],
  [unit('H29', 'µg/l', 'microgram per litre'), 'ug/l'],
  [unit('KMQ', 'kg/m³', 'kilogram per cubic metre')],
  [unit('Q30', 'pH', 'pH (potential of Hydrogen)')],
  // Light, sound, radio, radiation
  [unit('LUX', 'lx', 'lux'), 'lux'],
  [unit('KLX', 'klx', 'kilolux'), 'klux'],
  [unit('LUM', 'lm', 'lumen'), 'lumen'],
  [unit('CDL', 'cd', 'candela'), 'candela'],
  [UNITS.decibel, 'decibel', 'dB(A)', 'dBA'],
  [UNITS.decibelMilliwatt],
  [unit('A19', 'Bq/m³', 'becquerel per cubic metre')],
  [unit('P72', 'µSv/h', 'microsievert per hour'), 'uSv/h'],
  // Time and data
  [UNITS.second, 'sec', 'second', 'seconds'],
  [UNITS.millisecond, 'msec'],
  [unit('B98', 'µs', 'microsecond'), 'us'],
  [unit('MIN', 'min', 'minute [unit of time]'), 'minute', 'minutes'],
  [unit('HUR', 'h', 'hour'), 'hr', 'hour', 'hours'],
  [unit('DAY', 'd', 'day'), 'day', 'days'],
  [UNITS.byte, 'bytes'],
];

/** Every unit of the table, in its order. */
export const ALL_UNITS: readonly Unit[] = WRITTEN.map(([item]) => item);

/** One form for `m³/h`, `m3 / h`, `m^3/h`; for `kW·h` and `kWh`; for both signs of micro and of ohm. */
function normalized(text: string): string {
  return text
    .replaceAll(/[º˚]/g, '°')
    .normalize('NFKC')
    .replaceAll(/[\s·⋅∙*^.]/g, '');
}

function index(): { exact: ReadonlyMap<string, Unit>; anyCase: ReadonlyMap<string, Unit | undefined> } {
  const exact = new Map<string, Unit>();
  const anyCase = new Map<string, Unit | undefined>();
  for (const [item, ...others] of WRITTEN)
    for (const text of [item.symbol, ...others]) {
      const key = normalized(text);
      exact.set(key, item);
      const lower = key.toLowerCase();
      // mW and MW: where the case decides, a text in another case says nothing.
      anyCase.set(lower, anyCase.has(lower) && anyCase.get(lower) !== item ? undefined : item);
    }
  return { exact, anyCase };
}

const INDEX = index();

/** The unit that a person wrote, or `undefined` if the table has none that is meant for sure. */
export function parseUnit(text: string): Unit | undefined {
  if (text.length > MAX_SYMBOL_LENGTH) return undefined;
  const key = normalized(text);
  const exact = INDEX.exact.get(key);
  if (exact !== undefined) return exact;
  const found = INDEX.anyCase.get(key.toLowerCase());
  // Milli and mega, also where the table has only one of them: mWh is no MWh.
  const isPrefixed = key.length <= 4 && key.startsWith('m') !== found?.symbol.startsWith('m') && /^m/i.test(key);
  return isPrefixed ? undefined : found;
}

/**
 * The unit that a person set on purpose: one of the table, else one without a code and with the text as symbol.
 * `undefined` if it cannot be a unit at all.
 */
export function unitFromText(text: string): Unit | undefined {
  const symbol = text.trim();
  // oxlint-disable-next-line no-control-regex
  if (symbol === '' || symbol.length > MAX_SYMBOL_LENGTH || /[\u0000-\u001f\u007f]/.test(symbol)) return undefined;
  return parseUnit(symbol) ?? unit(undefined, symbol, symbol);
}

/** In any case, and without what the Recommendation explains in brackets: `minute [unit of time]`. */
const nameKey = (name: string): string =>
  name
    .replace(/\s*\[[^\]]*\]\s*$/, '')
    .trim()
    .toLowerCase();

const BY_CODE: ReadonlyMap<string, Unit> = new Map(
  ALL_UNITS.flatMap((item) => (item.code === undefined ? [] : [[item.code, item]])),
);
const BY_NAME: ReadonlyMap<string, Unit> = new Map(ALL_UNITS.map((item) => [nameKey(item.name), item]));

/**
 * Like {@link unitFromText}, where a person knows that a unit is asked for and may look one up: its UNECE code (`CEL`)
 * and its full name (`cubic metre per hour`) are understood as well. What is a symbol is not taken for a code.
 */
export function unitFromWords(text: string): Unit | undefined {
  const words = text.trim();
  return parseUnit(words) ?? BY_CODE.get(words.toUpperCase()) ?? BY_NAME.get(nameKey(words)) ?? unitFromText(words);
}
