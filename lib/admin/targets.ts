/** Which devices and metrics a payload names. */
import { z } from 'zod';
import {
  type ApplicationId,
  type DevEui,
  display,
  InvalidInputError,
  type MetricDefinition,
  type MetricKey,
  parseApplicationId,
  parseDevEui,
  parseMetricKey,
} from '../model';
import type { AdministrationStore } from './dependencies';
import { optionalField, parsedField } from './payload';

/** Metrics of one device in a question at most. */
export const MOST_METRICS = 1_000;

export const applicationField: z.ZodType<ApplicationId | undefined> = optionalField((value) =>
  parseApplicationId(value),
);
export const devEuiField: z.ZodType<DevEui | undefined> = optionalField((value) => parseDevEui(value));
export const devicesField = z
  .array(parsedField((value) => parseDevEui(value)))
  .min(1)
  .max(10_000)
  .optional();
export const metricField: z.ZodType<MetricKey | undefined> = optionalField((value) => parseMetricKey(value));
export const metricsField = z
  .array(parsedField((value) => parseMetricKey(value)))
  .min(1)
  .max(MOST_METRICS)
  .optional();

/** Fields of a question about metrics of one device. */
export const targetFields = {
  devEui: parsedField((value) => parseDevEui(value)),
  metric: metricField,
  metrics: metricsField,
};

/** The metrics that are asked for by `metric` and `metrics`; `undefined` = all. */
export function namedMetrics(
  metric: MetricKey | undefined,
  metrics: readonly MetricKey[] | undefined,
): readonly MetricKey[] | undefined {
  if (metric === undefined) return metrics === undefined ? undefined : [...new Set(metrics)];
  return [...new Set([metric, ...(metrics ?? [])])];
}

/**
 * The metrics of a device that are asked for.
 * @throws InvalidInputError for what is not known: a typing error must not look like an empty history
 */
export function chosenMetrics(
  store: AdministrationStore,
  devEui: DevEui,
  wanted: readonly MetricKey[] | undefined,
): readonly MetricDefinition[] {
  const known = store.metrics.ofDevice(devEui);
  if (known.length === 0)
    throw new InvalidInputError([
      {
        field: 'payload.devEui',
        value: display(devEui),
        rule: 'it is a device that the gateway knows',
        cure: 'Ask devices.list for the devices, or wait for the first reading of this one.',
      },
    ]);
  if (wanted === undefined && known.length > MOST_METRICS)
    throw new InvalidInputError([
      {
        field: 'payload.metrics',
        value: display(wanted),
        rule: `a device with more than ${MOST_METRICS} metrics is asked for some of them`,
        cure: 'Name the metrics.',
      },
    ]);
  if (wanted === undefined) return known;
  const byKey = new Map(known.map((definition) => [definition.key, definition]));
  const missing = wanted.filter((key) => !byKey.has(key));
  if (missing.length > 0)
    throw new InvalidInputError(
      missing.map((key) => ({
        field: 'payload.metrics',
        value: display(key),
        rule: 'it is a metric that the device has',
        cure: `Use one of ${known
          .slice(0, 20)
          .map((definition) => definition.key)
          .join(', ')}.`,
      })),
    );
  return wanted.flatMap((key) => byKey.get(key) ?? []);
}
