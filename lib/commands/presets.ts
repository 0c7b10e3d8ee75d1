/**
 * Commands of usual classes of devices. A definition that names a preset needs only what differs; the port and the
 * bytes are those of many devices on the market, but each maker has his own: compare them with the manual.
 */

export const COMMAND_PRESETS = ['valve', 'switch', 'level', 'set-point', 'relay-pulse', 'reporting-interval'] as const;
export type CommandPreset = (typeof COMMAND_PRESETS)[number];

type Fields = Readonly<Record<string, unknown>>;

const PRESETS: Readonly<Record<CommandPreset, Fields>> = {
  valve: {
    name: 'valve',
    title: 'Valve',
    description: 'Opens or closes the valve.',
    fPort: 1,
    confirmed: true,
    coalescing: 'replace',
    parameters: [
      {
        name: 'position',
        type: 'Enumeration',
        choices: [
          { name: 'closed', value: 0 },
          { name: 'open', value: 1 },
        ],
      },
    ],
    payload: { kind: 'integer', parameter: 'position', format: 'uint8' },
  },
  switch: {
    name: 'switch',
    title: 'Switch',
    description: 'Switches on or off.',
    fPort: 1,
    confirmed: true,
    coalescing: 'replace',
    parameters: [{ name: 'on', type: 'Boolean' }],
    payload: { kind: 'integer', parameter: 'on', format: 'uint8' },
  },
  level: {
    name: 'level',
    title: 'Level',
    description: 'Dims a light or moves an actuator to a position.',
    fPort: 1,
    confirmed: false,
    coalescing: 'replace',
    parameters: [{ name: 'level', type: 'Double', unit: '%', min: 0, max: 100, step: 1 }],
    payload: { kind: 'integer', parameter: 'level', format: 'uint8' },
  },
  'set-point': {
    name: 'setPoint',
    title: 'Set point',
    description: 'Target temperature of a thermostat.',
    fPort: 1,
    confirmed: true,
    coalescing: 'replace',
    parameters: [{ name: 'temperature', type: 'Double', unit: '°C', min: 5, max: 30, step: 0.5 }],
    payload: { kind: 'integer', parameter: 'temperature', format: 'int16', scale: 0.1 },
  },
  'relay-pulse': {
    name: 'pulse',
    title: 'Relay pulse',
    description: 'Closes the relay for some time.',
    fPort: 1,
    confirmed: true,
    coalescing: 'queue',
    // A pulse that comes late is a pulse nobody expects.
    deadline: 60,
    parameters: [{ name: 'duration', type: 'Double', unit: 's', min: 0.1, max: 600, step: 0.1, default: 1 }],
    payload: { kind: 'integer', parameter: 'duration', format: 'uint16', scale: 0.1 },
  },
  'reporting-interval': {
    name: 'reportingInterval',
    title: 'Reporting interval',
    description: 'Time between two uplinks.',
    fPort: 1,
    confirmed: true,
    coalescing: 'replace',
    // Worth waiting for a device that is heard once a day.
    deadline: 172_800,
    parameters: [{ name: 'interval', type: 'Int', unit: 's', min: 60, max: 65_535 }],
    payload: { kind: 'integer', parameter: 'interval', format: 'uint16' },
  },
};

export function isCommandPreset(value: unknown): value is CommandPreset {
  return typeof value === 'string' && (COMMAND_PRESETS as readonly string[]).includes(value);
}

/** The fields of a preset, to be shown in a form or to be merged under those that somebody gave. */
export function presetFields(preset: CommandPreset): Fields {
  return structuredClone(PRESETS[preset]);
}
