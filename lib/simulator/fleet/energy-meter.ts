/** Three-phase electricity meter. */
import { gaussian } from '../random';
import { clamp, type DeviceKind, dailyCurve, hoursBetween, pack } from './kind';

export const energyMeter: DeviceKind = {
  name: 'energy-meter',
  profileName: 'Energy meter EM-3',
  profileDescription: 'Three-phase active energy and power',
  application: 'Utilities',
  noun: 'Power Meter',
  deviceClass: 'A',
  codec: `// EM-3: energy Wh, power W, voltages 0.1 V
function decodeUplink(input) {
  var b = input.bytes;
  if (b.length !== 14) return { errors: ['payload has ' + b.length + ' bytes, 14 expected'] };
  function u16(i) { return (b[i] << 8) | b[i + 1]; }
  function u32(i) { return (u16(i) * 65536) + u16(i + 2); }
  return {
    data: {
      energy: u32(0) / 1000,
      power: u32(4) / 1000,
      voltage: [u16(8) / 10, u16(10) / 10, u16(12) / 10]
    }
  };
}
`,
  measurements: {
    energy: { name: 'Active energy', kind: 'COUNTER' },
    power: { name: 'Active power', kind: 'GAUGE' },
    voltage_0: { name: 'Voltage L1', kind: 'GAUGE' },
    voltage_1: { name: 'Voltage L2', kind: 'GAUGE' },
    voltage_2: { name: 'Voltage L3', kind: 'GAUGE' },
  },
  profileTags: { manufacturer: 'Volta', model: 'EM-3', unit_energy: 'kWh', unit_power: 'W' },
  create(random) {
    // Wh, so that the counter is exact in kWh with three places.
    let energy = Math.floor(1e6 + 2e8 * random());
    let remainder = 0;
    let last: number | undefined;
    const base = 400 + 2_000 * random();
    const shift = 1_000 + 20_000 * random();
    return {
      measure(time) {
        const power = Math.max(0, base + shift * clamp(dailyCurve(time) + 0.3, 0, 1) + gaussian(random, base / 12));
        if (last !== undefined) {
          const added = power * hoursBetween(last, time) + remainder;
          energy = (energy + Math.floor(added)) % 2 ** 32;
          remainder = added - Math.floor(added);
        }
        last = time;
        const voltage = (): number => (230 + 2 * dailyCurve(time + 43_200_000) + gaussian(random, 0.6)) * 10;
        return {
          fPort: 3,
          data: pack([energy, 4], [power * 1_000, 4], [voltage(), 2], [voltage(), 2], [voltage(), 2]),
        };
      },
    };
  },
};
