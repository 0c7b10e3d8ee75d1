/** Temperature and humidity in a room. */
import { gaussian } from '../random';
import { Battery, clamp, type DeviceKind, dailyCurve, pack } from './kind';

export const climate: DeviceKind = {
  name: 'climate',
  profileName: 'Climate sensor CS-20',
  profileDescription: 'Room temperature and relative humidity',
  application: 'Building services',
  noun: 'Climate',
  deviceClass: 'A',
  codec: `// CS-20: temperature 0.01 °C, humidity 0.5 %, battery mV and %
function decodeUplink(input) {
  var b = input.bytes;
  if (b.length !== 6) return { errors: ['payload has ' + b.length + ' bytes, 6 expected'] };
  return {
    data: {
      temperature: (((b[0] << 8) | b[1]) << 16 >> 16) / 100,
      humidity: b[2] / 2,
      battery: { voltage: ((b[3] << 8) | b[4]) / 1000, level: b[5] }
    }
  };
}
`,
  measurements: {
    temperature: { name: 'Temperature', kind: 'GAUGE' },
    humidity: { name: 'Relative humidity', kind: 'GAUGE' },
    battery_voltage: { name: 'Battery voltage', kind: 'GAUGE' },
    battery_level: { name: 'Battery level', kind: 'GAUGE' },
  },
  profileTags: { manufacturer: 'Nordfeld', model: 'CS-20' },
  create(random) {
    const mean = 16 + 8 * random();
    const swing = 1 + 4 * random();
    const dampness = 40 + 20 * random();
    const battery = new Battery(random);
    return {
      battery: (time) => battery.level(time),
      measure(time) {
        const temperature = mean + swing * dailyCurve(time) + gaussian(random, 0.08);
        const humidity = clamp(dampness - 2 * (temperature - mean) + gaussian(random, 0.4), 5, 100);
        return {
          fPort: 2,
          data: pack(
            [temperature * 100, 2],
            [humidity * 2, 1],
            [battery.voltage(time) * 1_000, 2],
            [battery.level(time), 1],
          ),
        };
      },
    };
  },
};
