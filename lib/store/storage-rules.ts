import { type DevEui, type MetricKey, type MetricRule, MetricRules } from '../model';

/** What is kept of some metrics, and for how long. The most specific rule holds; of equal ones the last. */
export interface StorageRule extends MetricRule {
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
  readonly #retentions = new MetricRules<number>();
  readonly #deadbands = new MetricRules<number>();

  /** @param retentionDays where no rule says anything else; 0 = without limit */
  constructor(retentionDays: number, rules: readonly StorageRule[] = []) {
    this.#retentionDays = retentionDays;
    for (const rule of rules) {
      if (rule.retentionDays !== undefined) this.#retentions.add(rule, rule.retentionDays);
      if (rule.deadband !== undefined) this.#deadbands.add(rule, rule.deadband);
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

function mostSpecific(rules: MetricRules<number>, devEui: DevEui, key: MetricKey): number | undefined {
  return rules.named(devEui, key) ?? rules.everywhere;
}
