/** Level of a tank that is drawn from all day and filled when it runs low. */
import { gaussian } from '../random';
import { Battery, clamp, type DeviceKind, dailyCurve, hoursBetween, pack } from './kind';

export const tank: DeviceKind = {
  name: 'tank',
  profileName: 'Tank level TL-5',
  profileDescription: 'Radar level of a storage tank',
  application: 'Tank farm',
  noun: 'Tank',
  deviceClass: 'A',
  codec: `// TL-5: level mm, height of the tank cm
function decodeUplink(input) {
  var b = input.bytes;
  if (b.length !== 4) return { errors: ['payload has ' + b.length + ' bytes, 4 expected'] };
  var level = ((b[0] << 8) | b[1]) / 10;
  var height = (b[2] << 8) | b[3];
  var fill = Math.round(1000 * level / height) / 10;
  return { data: { level: level, fill: fill, alarm: fill > 90 ? 'high' : fill < 15 ? 'low' : 'none' } };
}
`,
  measurements: {
    level: { name: 'Level', kind: 'GAUGE' },
    fill: { name: 'Fill', kind: 'GAUGE' },
    alarm: { name: 'Level alarm', kind: 'STRING' },
  },
  profileTags: { manufacturer: 'Radarix', model: 'TL-5', unit_level: 'cm', unit_fill: '%', range_fill: '0..100' },
  create(random) {
    const height = 200 + Math.floor(400 * random());
    // Faster than a real tank, so that somebody who watches sees it live.
    const drawn = 8 + 22 * random();
    const filled = 200 + 200 * random();
    const low = 8 + 12 * random();
    const high = 85 + 10 * random();
    let fill = 20 + 65 * random();
    let isFilling = false;
    let last: number | undefined;
    const battery = new Battery(random);
    return {
      battery: (time) => battery.level(time),
      measure(time) {
        const hours = last === undefined ? 0 : Math.min(hoursBetween(last, time), 1);
        last = time;
        fill += hours * (isFilling ? filled : -drawn * (1.2 + dailyCurve(time)));
        fill = clamp(fill, 0, 99);
        if (fill < low) isFilling = true;
        if (fill > high) isFilling = false;
        const level = clamp((fill / 100) * height + gaussian(random, 0.15), 0, height);
        return { fPort: 4, data: pack([level * 10, 2], [height, 2]) };
      },
    };
  },
};
