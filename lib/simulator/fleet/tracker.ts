/** GPS tracker of a vehicle that goes round the yard and stands in between. */
import { gaussian } from '../random';
import { Battery, type DeviceKind, pack } from './kind';

const SITE = { latitude: 51.3397, longitude: 12.3731 };
/** m of a degree of latitude */
const METRES = 111_320;

export const tracker: DeviceKind = {
  name: 'tracker',
  profileName: 'Asset tracker AT-7',
  profileDescription: 'Position and movement of vehicles and load carriers',
  application: 'Logistics',
  noun: 'Forklift',
  deviceClass: 'A',
  codec: `// AT-7: latitude and longitude 1e-6 degrees, speed 0.1 km/h, satellites, acceleration 0.01 g
function decodeUplink(input) {
  var b = input.bytes;
  if (b.length !== 14) return { errors: ['payload has ' + b.length + ' bytes, 14 expected'] };
  function s16(i) { return (((b[i] << 8) | b[i + 1]) << 16) >> 16; }
  function s32(i) { return (b[i] << 24) | (b[i + 1] << 16) | (b[i + 2] << 8) | b[i + 3]; }
  return {
    data: {
      position: { latitude: s32(0) / 1e6, longitude: s32(4) / 1e6 },
      speed: ((b[8] << 8) | b[9]) / 10,
      moving: b[8] + b[9] > 0,
      satellites: b[10],
      acceleration: [b[11], b[12], b[13]].map(function (v) { return ((v << 24) >> 24) / 100; })
    }
  };
}
`,
  measurements: {
    position_latitude: { name: 'Latitude', kind: 'GAUGE' },
    position_longitude: { name: 'Longitude', kind: 'GAUGE' },
    speed: { name: 'Speed', kind: 'GAUGE' },
    moving: { name: 'Moving', kind: 'UNKNOWN' },
    satellites: { name: 'Satellites', kind: 'GAUGE' },
    // As auto-detection leaves new keys: without a name, without a kind.
    acceleration_0: { name: '', kind: 'UNKNOWN' },
    acceleration_1: { name: '', kind: 'UNKNOWN' },
    acceleration_2: { name: '', kind: 'UNKNOWN' },
  },
  profileTags: {
    manufacturer: 'Wayfind',
    model: 'AT-7',
    unit_speed: 'km/h',
    unit_acceleration_0: 'gn',
    unit_acceleration_1: 'gn',
    unit_acceleration_2: 'gn',
    states_moving: 'standing|moving',
  },
  create(random) {
    const radius = 40 + 120 * random();
    let angle = 2 * Math.PI * random();
    let isMoving = random() < 0.5;
    let last: number | undefined;
    const battery = new Battery(random);
    return {
      battery: (time) => battery.level(time),
      measure(time) {
        const seconds = Math.min((time - (last ?? time)) / 1_000, 60);
        last = time;
        if (random() < 0.15) isMoving = !isMoving;
        const speed = isMoving ? Math.max(1, 9 + gaussian(random, 2)) : 0;
        angle += ((speed / 3.6) * seconds) / radius;
        const north = (radius * Math.sin(angle)) / METRES;
        const east = (radius * Math.cos(angle)) / (METRES * Math.cos((SITE.latitude * Math.PI) / 180));
        const shake = (): number => gaussian(random, isMoving ? 8 : 0.6);
        return {
          fPort: 7,
          data: pack(
            [(SITE.latitude + north) * 1e6, 4],
            [(SITE.longitude + east) * 1e6, 4],
            [speed * 10, 2],
            [7 + Math.floor(6 * random()), 1],
            [shake(), 1],
            [shake(), 1],
            [100 + shake() / 4, 1],
          ),
        };
      },
    };
  },
};
