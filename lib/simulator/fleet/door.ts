/** Door contact. */
import { Battery, type DeviceKind, pack } from './kind';

export const door: DeviceKind = {
  name: 'door',
  profileName: 'Door contact DC-1',
  profileDescription: 'Position of a door and how often it was opened',
  application: 'Building services',
  noun: 'Door',
  deviceClass: 'A',
  codec: `// DC-1: flags (bit 0 open, bit 1 tamper), openings, battery mV
function decodeUplink(input) {
  var b = input.bytes;
  if (b.length !== 5) return { errors: ['payload has ' + b.length + ' bytes, 5 expected'] };
  var open = (b[0] & 1) === 1;
  return {
    data: {
      open: open,
      state: (b[0] & 2) === 2 ? 'tamper' : open ? 'open' : 'closed',
      openings: (b[1] << 8) | b[2],
      battery: { voltage: ((b[3] << 8) | b[4]) / 1000 }
    }
  };
}
`,
  measurements: {
    // ChirpStack has no kind for booleans: UNKNOWN leaves them to the events.
    open: { name: 'Open', kind: 'UNKNOWN' },
    state: { name: 'State', kind: 'STRING' },
    openings: { name: 'Openings', kind: 'COUNTER' },
    battery_voltage: { name: 'Battery voltage', kind: 'GAUGE' },
  },
  profileTags: { manufacturer: 'Nordfeld', model: 'DC-1', states_open: 'closed|open' },
  create(random) {
    const battery = new Battery(random);
    let openings = Math.floor(5_000 * random());
    let open = random() < 0.2;
    return {
      battery: (time) => battery.level(time),
      measure(time) {
        if (open) open = random() > 0.6;
        else if (random() < 0.25) {
          open = true;
          openings++;
        }
        const tamper = random() < 0.002;
        return {
          fPort: 2,
          data: pack([(open ? 1 : 0) | (tamper ? 2 : 0), 1], [openings, 2], [battery.voltage(time) * 1_000, 2]),
        };
      },
    };
  },
};
