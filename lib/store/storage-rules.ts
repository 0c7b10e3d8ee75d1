import type { DevEui, MetricKey } from '../model';

/** What is kept of some metrics, and for how long. The most specific rule holds; of equal ones the last. */
export interface StorageRule {
  readonly device: DevEui | '*';
  readonly metric: MetricKey | '*';
  /** 0 = without limit; absent = this rule does not say. */
  readonly retentionDays?: number;
  /**
   * Only values that differ from the last stored one by more than this are stored; 0 = only changes. Absent = this rule
   * does not say.
   */
  readonly deadband?: number;
}

export const DAY = 86_400_000;

/**
 * Finds what holds for a metric, retention and dead-band each by itself. From the most specific: metric of a device,
 * metric of all devices, device, everything: the same order as for the thresholds of staleness.
 */
export class StorageRules {
  readonly #retentionDays: number;
  readonly #retentions = new Map<string, number>();
  readonly #deadbands = new Map<string, number>();

  /** @param retentionDays where no rule says anything else; 0 = without limit */
  constructor(retentionDays: number, rules: readonly StorageRule[] = []) {
    this.#retentionDays = retentionDays;
    for (const { device, metric, retentionDays: days, deadband } of rules) {
      if (days !== undefined) this.#retentions.set(`${device}/${metric}`, days);
      if (deadband !== undefined) this.#deadbands.set(`${device}/${metric}`, deadband);
    }
  }

  /** How long samples are kept, ms; `undefined` = without limit. */
  retention(devEui: DevEui, key: MetricKey): number | undefined {
    const days = mostSpecific(this.#retentions, devEui, key) ?? this.#retentionDays;
    return days === 0 ? undefined : days * DAY;
  }

  /** `undefined` = every sample is stored. */
  deadband(devEui: DevEui, key: MetricKey): number | undefined {
    return mostSpecific(this.#deadbands, devEui, key);
  }

  /** Whether any sample is ever too old. */
  get limitsAge(): boolean {
    return this.#retentionDays > 0 || [...this.#retentions.values()].some((days) => days > 0);
  }

  /** Whether any sample may be left out. */
  get thinsOut(): boolean {
    return this.#deadbands.size > 0;
  }
}

function mostSpecific(rules: ReadonlyMap<string, number>, devEui: DevEui, key: MetricKey): number | undefined {
  if (rules.size === 0) return undefined;
  return rules.get(`${devEui}/${key}`) ?? rules.get(`*/${key}`) ?? rules.get(`${devEui}/*`) ?? rules.get('*/*');
}
