/** Motor valve of class C: it moves when it is told to. */
import { clamp, type DeviceKind, pack } from './kind';

/** % a second */
const SPEED = 10;

export const valve: DeviceKind = {
  name: 'valve',
  profileName: 'Motor valve MV-2',
  profileDescription: 'Motor valve with position feedback, powered from the mains',
  application: 'Utilities',
  noun: 'Valve',
  deviceClass: 'C',
  codec: `// MV-2: position 0.5 %, set point 0.5 %, cycles
function decodeUplink(input) {
  var b = input.bytes;
  if (b.length !== 4) return { errors: ['payload has ' + b.length + ' bytes, 4 expected'] };
  var position = b[0] / 2;
  var setpoint = b[1] / 2;
  return {
    data: {
      position: position,
      setpoint: setpoint,
      open: position > 0,
      state: position !== setpoint ? 'moving' : position === 0 ? 'closed' : position === 100 ? 'open' : 'throttled',
      cycles: (b[2] << 8) | b[3]
    }
  };
}

// {position: 0..100} or {open: true|false}
function encodeDownlink(input) {
  var position = input.data.position;
  if (typeof input.data.open === 'boolean') position = input.data.open ? 100 : 0;
  if (typeof position !== 'number' || !(position >= 0 && position <= 100)) {
    return { errors: ['position must be a number from 0 to 100, or open true or false'] };
  }
  return { bytes: [Math.round(position * 2)], fPort: 20 };
}
`,
  measurements: {
    position: { name: 'Position', kind: 'GAUGE' },
    setpoint: { name: 'Set point', kind: 'GAUGE' },
    open: { name: 'Open', kind: 'UNKNOWN' },
    state: { name: 'State', kind: 'STRING' },
    cycles: { name: 'Cycles', kind: 'COUNTER' },
  },
  profileTags: {
    manufacturer: 'Volta',
    model: 'MV-2',
    unit_position: '%',
    range_position: '0..100',
    unit_setpoint: '%',
    range_setpoint: '0..100',
    states_open: 'closed|open',
  },
  create(random) {
    const half = (value: number): number => Math.round(value * 2) / 2;
    let setpoint = half(random() < 0.5 ? 0 : 100 * random());
    let position = setpoint;
    let cycles = Math.floor(3_000 * random());
    let last: number | undefined;
    const move = (time: number): void => {
      const way = (SPEED * Math.max(0, time - (last ?? time))) / 1_000;
      position = half(clamp(setpoint, position - way, position + way));
      last = time;
    };
    return {
      measure(time) {
        move(time);
        return { fPort: 5, data: pack([position * 2, 1], [setpoint * 2, 1], [cycles, 2]) };
      },
      receive({ fPort, data }, time) {
        const [wanted] = data;
        if (fPort !== 20 || wanted === undefined || wanted > 200) return;
        move(time);
        if (wanted / 2 !== setpoint) cycles++;
        setpoint = wanted / 2;
      },
    };
  },
};
