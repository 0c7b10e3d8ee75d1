/** What the values of a metric mean: their unit, the range they usually lie in, the names of their states. */
import type { DevEui, MetricKey } from './identifiers';
import type { Device, DeviceProfile } from './inventory';
import type { MetricDefinition } from './metric';
import { guessUnit } from './metric-names';
import type { MetricValue } from './reading';
import { parseUnit, type Unit, unitFromText } from './units';

/** Where a unit comes from, the most trusted first. */
export const UNIT_SOURCES = ['user', 'device-tag', 'profile-tag', 'measurement-name', 'guessed'] as const;
export type UnitSource = (typeof UNIT_SOURCES)[number];

export interface SourcedUnit extends Unit {
  readonly source: UnitSource;
}

/** State of a discrete value: its number (false = 0, true = 1), its text. */
export type StateText = readonly [number, string];

export interface MetricMeaning {
  /** Only of numbers. */
  readonly unit?: SourcedUnit;
  /** Values in normal operation (Part 8 §5.6.2), low < high. Only of numbers. */
  readonly range?: { readonly low: number; readonly high: number };
  /** Of booleans, and of numbers that are states; those have neither unit nor range. */
  readonly states?: readonly StateText[];
}

export const NO_MEANING: MetricMeaning = {};

/** What a user says of a metric, as text in the form of the tags. */
export interface OwnMeaning {
  readonly unit?: string;
  readonly range?: string;
  readonly states?: string;
}

/** Looks up what the user says of a metric; this comes before anything ChirpStack knows. */
export type OwnMeanings = (devEui: DevEui, key: MetricKey) => OwnMeaning | undefined;

export interface MeaningSources {
  readonly own?: OwnMeaning | undefined;
  readonly device?: Pick<Device, 'tags'> | undefined;
  readonly profile?: Pick<DeviceProfile, 'tags' | 'measurements'> | undefined;
}

/** More are no enumeration that a person would write into a tag. */
const MAX_STATES = 100;
const MAX_STATE_LENGTH = 100;
/** Two numbers are shorter. Tags may have any length, and the time of a search through them grows with its square. */
const MAX_RANGE_LENGTH = 100;

/** `-10..50`, two numbers with the lower one first; `undefined` for anything else. */
export function parseRange(text: string): MetricMeaning['range'] {
  if (text.length > MAX_RANGE_LENGTH) return undefined;
  const { low, high } = /^\s*(?<low>[^\s.]\S*?)\s*\.\.\s*(?<high>\S+)\s*$/.exec(text)?.groups ?? {};
  const range = { low: Number(low ?? Number.NaN), high: Number(high ?? Number.NaN) };
  return Number.isFinite(range.low) && Number.isFinite(range.high) && range.low < range.high ? range : undefined;
}

/**
 * `closed|open`, the texts of 0, 1, …; or `1=standby|4=running`, with whole numbers of their own.
 * @returns `undefined` if a text is empty, a number comes twice, or there are fewer than two states
 */
export function parseStates(text: string): readonly StateText[] | undefined {
  const parts = text.split('|');
  if (parts.length < 2 || parts.length > MAX_STATES) return undefined;
  const states = new Map<number, string>();
  for (const [position, part] of parts.entries()) {
    const { number, label } = /^\s*(?:(?<number>-?\d{1,15})\s*=)?(?<label>.*)$/s.exec(part)?.groups ?? {};
    const name = (label ?? '').trim();
    const value = number === undefined ? position : Number(number);
    if (name === '' || name.length > MAX_STATE_LENGTH || states.has(value)) return undefined;
    states.set(value, name);
  }
  return [...states].sort(([a], [b]) => a - b);
}

/** What is more often a place, a minimum, a number or a plural than a unit: `Temperature (in)`, `Door(s)`. */
const NO_UNIT_IN_BRACKETS = new Set(['in', 'min', '1', 's']);

/** What stands in brackets at the end of a measurement's name, if it is a unit: `Temperature (°C)`, `Level [m]`. */
function unitInBrackets(name: string): Unit | undefined {
  const { round, square } = /(?:\((?<round>[^()]+)\)|\[(?<square>[^[\]]+)\])\s*$/.exec(name)?.groups ?? {};
  const text = (round ?? square ?? '').trim();
  return text === '' || NO_UNIT_IN_BRACKETS.has(text) ? undefined : parseUnit(text);
}

function hasTags(holder: { readonly tags: Readonly<Record<string, string>> } | undefined): boolean {
  for (const tag in holder?.tags) if (tag !== '') return true;
  return false;
}

/** Own, device's and profile's word on something, in this order; a senseless one is as good as none. */
function said<Value>(
  { own, device, profile }: MeaningSources,
  what: keyof OwnMeaning,
  key: string,
  parse: (text: string) => Value | undefined,
): { readonly value: Value; readonly source: UnitSource } | undefined {
  // Most metrics are never spoken of.
  if (own === undefined && !hasTags(device) && !hasTags(profile)) return undefined;
  const tag = `${what}_${key}`;
  const tagOf = (holder: { readonly tags: Readonly<Record<string, string>> } | undefined): string | undefined =>
    holder !== undefined && Object.hasOwn(holder.tags, tag) ? holder.tags[tag] : undefined;
  const words: readonly [string | undefined, UnitSource][] = [
    [own?.[what], 'user'],
    [tagOf(device), 'device-tag'],
    [tagOf(profile), 'profile-tag'],
  ];
  for (const [text, source] of words) {
    const value = text === undefined ? undefined : parse(text);
    if (value !== undefined) return { value, source };
  }
  return undefined;
}

/** Said of a metric that has no unit, so that none is guessed. */
const NO_UNIT = '-';

function unitOf(
  { key, name }: Pick<MetricDefinition, 'key' | 'name'>,
  sources: MeaningSources,
): SourcedUnit | undefined {
  const explicit = said(sources, 'unit', key, (text): Unit | typeof NO_UNIT | undefined =>
    text.trim() === NO_UNIT ? NO_UNIT : unitFromText(text),
  );
  if (explicit !== undefined)
    return explicit.value === NO_UNIT ? undefined : { ...explicit.value, source: explicit.source };
  const { measurements = {} } = sources.profile ?? {};
  const measurement = Object.hasOwn(measurements, key) ? measurements[key] : undefined;
  const named = unitInBrackets(measurement?.name ?? '') ?? unitInBrackets(name);
  if (named !== undefined) return { ...named, source: 'measurement-name' };
  const guessed = guessUnit(key);
  return guessed === undefined ? undefined : { ...guessed, source: 'guessed' };
}

/**
 * What the values of a metric mean, as far as it is known and fits their type: texts have no unit, booleans have at most
 * two states, and as long as no value told the type nothing is said.
 */
export function meaningOf(
  definition: Pick<MetricDefinition, 'key' | 'name' | 'dataType'>,
  sources: MeaningSources,
): MetricMeaning {
  const { key, dataType } = definition;
  if (dataType === undefined || dataType === 'String') return NO_MEANING;
  const states = said(sources, 'states', key, parseStates)?.value;
  if (dataType === 'Boolean') {
    const isPair = states?.length === 2 && states[0]?.[0] === 0 && states[1]?.[0] === 1;
    return isPair ? { states } : NO_MEANING;
  }
  if (states !== undefined) return { states };
  const range = said(sources, 'range', key, parseRange)?.value;
  const unit = unitOf(definition, sources);
  if (unit === undefined && range === undefined) return NO_MEANING;
  return { ...(unit === undefined ? {} : { unit }), ...(range === undefined ? {} : { range }) };
}

/** The text of the state that a value is; `undefined` if the metric has no states or none for this value. */
export function stateText(
  states: readonly StateText[] | undefined,
  value: MetricValue | undefined,
): string | undefined {
  if (states === undefined || value === undefined || typeof value === 'string') return undefined;
  const number = Number(value);
  return states.find(([state]) => state === number)?.[1];
}

/** Whether two meanings say the same. */
export function isSameMeaning(a: MetricMeaning, b: MetricMeaning): boolean {
  return (
    a === b ||
    (a.unit?.code === b.unit?.code &&
      a.unit?.symbol === b.unit?.symbol &&
      a.unit?.source === b.unit?.source &&
      a.range?.low === b.range?.low &&
      a.range?.high === b.range?.high &&
      JSON.stringify(a.states) === JSON.stringify(b.states))
  );
}
