import { z } from 'zod';
import {
  type ApplicationId,
  type CurrentValue,
  type DevEui,
  type Device,
  type MeaningSources,
  type MetricDataType,
  type MetricDefinition,
  type MetricKey,
  meaningOf,
  type Origin,
  QUALITY_CODES,
  type Quality,
  qualityClass,
  qualityCode,
  stateText,
} from '../model';
import type { AdministrationDependencies } from './dependencies';
import { meaningSources } from './meanings';
import { compareBy, listFields, type Page } from './payload';
import { applicationField, devEuiField } from './targets';

const QUALITY_FILTERS = ['Good', 'Uncertain', 'Bad', ...Object.keys(QUALITY_CODES)] as const;

export const valuesPayload = z.strictObject({
  ...listFields(['device', 'metric', 'quality', 'time']),
  applicationId: applicationField,
  devEui: devEuiField,
  /** A class (all of it), or the name of one status code that is not a class. */
  quality: z
    .string()
    .refine((name) => QUALITY_FILTERS.includes(name), 'it is Good, Uncertain, Bad or the name of a status code')
    .optional(),
});

export interface ValueRow {
  readonly devEui: DevEui;
  readonly deviceName: string;
  readonly applicationId: ApplicationId;
  readonly applicationName: string;
  readonly key: MetricKey;
  readonly metricName: string;
  readonly dataType: MetricDataType | undefined;
  /** Int64 as text, because JSON has no 64-bit integers; `null` while there is none. */
  readonly value: number | boolean | string | null;
  /** Symbol of the unit, to be shown behind the number; `null` if none is known, or for plain counts. */
  readonly unit: string | null;
  /** Whether the unit is only what the name of the metric most likely stands for. */
  readonly unitGuessed: boolean;
  /** Text of the state that the value is; `null` if it has none. */
  readonly state: string | null;
  readonly quality: Quality;
  readonly qualityClass: 'Good' | 'Uncertain' | 'Bad';
  /** ms UTC; `null` while there is no value. */
  readonly time: number | null;
  /** ms, never negative; `null` while there is no value. */
  readonly age: number | null;
  readonly origin: Origin | null;
}

export type ValueList = Page<ValueRow>;

interface Match {
  readonly device: Device;
  readonly definition: MetricDefinition;
  readonly current: CurrentValue | undefined;
}

export function listValues(
  sources: Pick<AdministrationDependencies, 'store' | 'ownMeanings'>,
  now: number,
  { offset, limit, sort, descending, search, applicationId, devEui, quality }: z.output<typeof valuesPayload>,
): ValueList {
  const { store } = sources;
  const { applications, devices } = store.inventory.merged();
  const wanted = search.trim().toLowerCase();
  const candidates = [...devices.values()]
    .filter(
      (device) =>
        (applicationId === undefined || device.applicationId === applicationId) &&
        (devEui === undefined || device.devEui === devEui),
    )
    .map((device) => ({ device, name: device.name.toLowerCase() }))
    // Devices are few beside their metrics: sorted first, the usual order costs nothing.
    .sort((a, b) => compareBy(a.name, b.name) || compareBy(a.device.devEui, b.device.devEui));
  const matches: Match[] = [];
  for (const { device, name } of candidates) {
    const deviceMatches = wanted === '' || name.includes(wanted) || device.devEui.includes(wanted);
    const values = store.values.ofDevice(device.devEui);
    for (const definition of store.metrics.ofDevice(device.devEui)) {
      if (!deviceMatches && !metricMatches(definition, wanted)) continue;
      const current = values.get(definition.key);
      if (quality === undefined || hasQuality(qualityOf(current), quality))
        matches.push({ device, definition, current });
    }
  }
  const direction = descending ? -1 : 1;
  if (sort !== 'device') {
    const by: Record<typeof sort, (match: Match) => string | number | undefined> = {
      metric: ({ definition }) => definition.name,
      quality: ({ current }) => qualityCode(qualityOf(current)),
      time: ({ current }) => (current?.value === undefined ? undefined : current.time),
    };
    matches.sort((a, b) => direction * compareBy(by[sort](a), by[sort](b)));
  } else if (descending) matches.reverse();
  const rows = matches.slice(offset, offset + limit).map((match) => ({
    ...valueRow(match, meaningSources(sources, match.device, match.definition.key), now),
    applicationName: applications.get(match.device.applicationId)?.name ?? '',
  }));
  return { rows, total: matches.length, offset };
}

/** Unit of what is only counted: true, and nothing to be shown. */
const COUNT = '1';

function valueRow(
  { device, definition, current }: Match,
  meaning: MeaningSources,
  now: number,
): Omit<ValueRow, 'applicationName'> {
  const quality = qualityOf(current);
  const value = current?.value;
  const hasValue = current !== undefined && value !== undefined;
  const { unit, states } = meaningOf(definition, meaning);
  return {
    devEui: device.devEui,
    deviceName: device.name,
    applicationId: device.applicationId,
    key: definition.key,
    metricName: definition.name,
    dataType: definition.dataType,
    value: typeof value === 'bigint' ? value.toString() : (value ?? null),
    unit: unit === undefined || unit.symbol === COUNT ? null : unit.symbol,
    unitGuessed: unit?.source === 'guessed',
    state: stateText(states, value) ?? null,
    quality,
    qualityClass: qualityClass(quality),
    time: hasValue ? current.time : null,
    age: hasValue ? Math.max(0, now - current.time) : null,
    origin: hasValue ? current.origin : null,
  };
}

function qualityOf(current: CurrentValue | undefined): Quality {
  return current?.quality ?? 'BadWaitingForInitialData';
}

function hasQuality(quality: Quality, filter: string): boolean {
  return filter === 'Good' || filter === 'Uncertain' || filter === 'Bad'
    ? qualityClass(quality) === filter
    : quality === filter;
}

function metricMatches({ key, name }: MetricDefinition, wanted: string): boolean {
  return key.toLowerCase().includes(wanted) || name.toLowerCase().includes(wanted);
}
