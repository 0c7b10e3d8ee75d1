import { type HistoryGap, qualityCode } from '../model';
import { SampleFlag } from './columns';
import type { MetricRecord, OwnValue } from './metric-record';
import type { PendingWrites } from './pending-writes';
import type { StorageRules } from './storage-rules';

/** With a dead-band a sample is stored after this time at the latest, ms: a crash loses no more of a value that stood. */
const LONGEST_HELD = 3_600_000;
const EVERY_SAMPLE = -1;

/** Decides which samples go into history, and where history gets a gap. */
export class SampleIntake {
  readonly #pending: PendingWrites;
  readonly #rules: StorageRules;
  readonly #onLost: (samples: number) => void;
  readonly #thinsOut: boolean;
  /** Metrics with a held sample. */
  readonly #holding = new Set<MetricRecord>();

  /** @param onLost told how many samples were given up because the buffer is full */
  constructor(pending: PendingWrites, rules: StorageRules, onLost: (samples: number) => void) {
    this.#pending = pending;
    this.#rules = rules;
    this.#onLost = onLost;
    this.#thinsOut = rules.thinsOut;
  }

  /** @param late newer values of the metric are known */
  take(metric: MetricRecord, sample: OwnValue, late: boolean): void {
    const { gapAt } = metric;
    let { flags } = sample;
    if (gapAt !== undefined) {
      // The backend moves the gap: it stood behind an older sample.
      if (sample.time < gapAt) flags |= SampleFlag.Late;
      // What is late leaves the gap open: it stands behind the newer values.
      if (!late) metric.gapAt = undefined;
    }
    if (this.#thinsOut && !this.#isKept(metric, sample, late)) return;
    this.#store(metric, sample, flags);
  }

  /** Nothing is known from an instant on. */
  markGap(metric: MetricRecord, { from, status, after }: HistoryGap): void {
    const time = Math.floor(from);
    const known = after === undefined ? undefined : Math.floor(after);
    const { own, gapAt } = metric;
    // History ends in a gap already.
    if (gapAt !== undefined && time >= gapAt) return;
    // A value came meanwhile.
    if (known !== undefined && own !== undefined && own.time > known && own.time < time) return;
    this.#release(metric);
    // A value may lie between it and the gap, behind the newest one: the backend knows.
    const lost = this.#pending.addGap(metric.id, time, qualityCode(status), known);
    if (lost > 0) this.#onLost(lost);
    if (own === undefined || time > own.time) metric.gapAt = time;
  }

  /** Stores what is held: nothing comes any more. */
  releaseAll(): void {
    for (const metric of this.#holding) this.#release(metric);
  }

  /** Whether a sample of a metric with a dead-band is stored; if not, it is held. */
  #isKept(metric: MetricRecord, sample: OwnValue, late: boolean): boolean {
    metric.deadband ??= this.#rules.deadband(metric.definition.devEui, metric.definition.key) ?? EVERY_SAMPLE;
    if (metric.deadband === EVERY_SAMPLE) return true;
    const { stored, held } = metric;
    if (late) {
      // Between what is stored and what is held, it would bend the line that the two make.
      if (stored === undefined || sample.time > stored.time) this.#release(metric);
      return true;
    }
    if (stored !== undefined && isWithin(metric.deadband, stored, sample)) {
      metric.held = sample;
      this.#holding.add(metric);
      return false;
    }
    // The last one of those that were left out: the line goes straight to it, not past it.
    if (held !== undefined && held.time !== sample.time) this.#release(metric);
    metric.held = undefined;
    this.#holding.delete(metric);
    metric.stored = sample;
    return true;
  }

  #release(metric: MetricRecord): void {
    const { held } = metric;
    if (held === undefined) return;
    metric.held = undefined;
    this.#holding.delete(metric);
    metric.stored = held;
    this.#store(metric, held, held.flags);
  }

  #store(metric: MetricRecord, { time, status, value }: OwnValue, flags: number): void {
    const lost = this.#pending.addSample(metric.id, time, status, flags, value);
    if (lost > 0) this.#onLost(lost);
  }
}

/** Whether a sample says nothing that the stored one does not say. */
function isWithin(deadband: number, stored: OwnValue, { time, status, value }: OwnValue): boolean {
  if (status !== stored.status || time <= stored.time || time - stored.time >= LONGEST_HELD) return false;
  if (value === stored.value) return true;
  if (typeof value === 'number' && typeof stored.value === 'number') return Math.abs(value - stored.value) <= deadband;
  if (typeof value === 'bigint' && typeof stored.value === 'bigint') {
    const difference = value - stored.value;
    return Number(difference < 0n ? -difference : difference) <= deadband;
  }
  return false;
}
