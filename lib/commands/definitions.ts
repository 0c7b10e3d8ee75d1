/** Definitions of commands: read from what people and flows give, and looked up for a device. */
import { type CommandDefinition, type DevEui, type DeviceProfileId, display, FaultCollector } from '../model';
import { completeDefinition } from './definition-rules';
import { definitionSchema } from './definition-schema';
import { COMMAND_PRESETS, isCommandPreset, presetFields } from './presets';

/** Definitions of one gateway. */
const MAX_DEFINITIONS = 10_000;

const CURE = 'Correct the definition; docs/commands.md lists the fields.';

/**
 * Reads a list of definitions. `preset` in one of them fills in what it leaves out.
 * @param field how the list is called where it comes from
 * @throws InvalidInputError with all faults of all definitions, each with the path of its field
 */
export function parseCommandDefinitions(given: unknown, field = 'commands'): readonly CommandDefinition[] {
  const faults = new FaultCollector();
  if (!Array.isArray(given) || given.length > MAX_DEFINITIONS) {
    faults.add(field, given, `it is a list of at most ${MAX_DEFINITIONS} definitions`, CURE);
    faults.throwIfAny();
    return [];
  }
  const seen = new Map<string, string>();
  const definitions = given.flatMap((item: unknown, index): CommandDefinition[] => {
    const at = `${field}[${index}]`;
    const definition = parseOne(item, faults, at);
    if (definition === undefined) return [];
    const key = `${'devEui' in definition.scope ? definition.scope.devEui : definition.scope.profileId}/${definition.name}`;
    const other = seen.get(key);
    if (other !== undefined)
      faults.add(
        `${at}.name`,
        definition.name,
        `${other} has the same name and scope`,
        'Rename or remove one of them.',
      );
    seen.set(key, at);
    return [definition];
  });
  faults.throwIfAny();
  return definitions;
}

function parseOne(given: unknown, faults: FaultCollector, at: string): CommandDefinition | undefined {
  const fields = withPreset(given, faults, at);
  if (fields === undefined) return undefined;
  const result = definitionSchema.safeParse(fields);
  if (result.success) return completeDefinition(result.data, faults, at);
  for (const issue of result.error.issues) {
    // An unknown field is named itself, not only the object that it is in.
    const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    for (const path of paths)
      faults.add(
        pathText(at, path),
        valueAt(fields, path),
        issue.code === 'unrecognized_keys' ? 'there is no such field' : issue.message,
        CURE,
      );
  }
  return undefined;
}

function withPreset(given: unknown, faults: FaultCollector, at: string): unknown {
  if (typeof given !== 'object' || given === null || !('preset' in given)) return given;
  const { preset, ...fields } = given;
  if (preset === undefined || preset === '') return fields;
  if (isCommandPreset(preset)) return { ...presetFields(preset), ...fields };
  faults.add(`${at}.preset`, preset, `a preset is one of ${COMMAND_PRESETS.join(', ')}`, CURE);
  return undefined;
}

function pathText(at: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${String(step)}`),
    at,
  );
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  const value = path.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[step] : undefined,
    root,
  );
  return typeof value === 'function' ? display(String(value)) : value;
}

/** Looks up what a device can be told. Immutable. */
export class CommandDefinitions {
  readonly #byScope = new Map<string, Map<string, CommandDefinition>>();

  constructor(definitions: readonly CommandDefinition[]) {
    for (const definition of definitions) {
      const key = 'devEui' in definition.scope ? definition.scope.devEui : definition.scope.profileId;
      const named = this.#byScope.get(key) ?? new Map<string, CommandDefinition>();
      named.set(definition.name, definition);
      this.#byScope.set(key, named);
    }
  }

  /** All of all scopes. */
  all(): readonly CommandDefinition[] {
    return [...this.#byScope.values()].flatMap((named) => [...named.values()]);
  }

  /** All commands of a device, its own before those of its profile; a name only once. */
  of(devEui: DevEui, profileId: DeviceProfileId | undefined): readonly CommandDefinition[] {
    const all = new Map(this.#byScope.get(devEui));
    if (profileId !== undefined)
      for (const [name, definition] of this.#byScope.get(profileId) ?? [])
        if (!all.has(name)) all.set(name, definition);
    return [...all.values()];
  }

  /** The command of that name, the device's own before that of its profile. */
  find(devEui: DevEui, profileId: DeviceProfileId | undefined, name: string): CommandDefinition | undefined {
    const own = this.#byScope.get(devEui)?.get(name);
    if (own !== undefined || profileId === undefined) return own;
    return this.#byScope.get(profileId)?.get(name);
  }
}
