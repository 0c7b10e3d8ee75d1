/**
 * How Lorua says that something it was given is wrong: every fault names the field, the value, the rule and the cure,
 * and all faults of one input are reported at once.
 */
export interface Fault {
  /** Name of the setting, property or variable as its user knows it, e.g. `CHIRPSTACK_URL` or `msg.device.devEui`. */
  readonly field: string;
  /** What was given, shortened for display. Never a secret: use {@link REDACTED} for those. */
  readonly value: string;
  /** What a valid value looks like. */
  readonly rule: string;
  /** What the user can do about it. */
  readonly cure: string;
}

/** Shown in place of any secret. */
export const REDACTED = '(hidden)';

const DISPLAY_LIMIT = 80;

/** Renders any value for a message: JSON-like, at most 80 characters, never throws. */
export function display(value: unknown): string {
  let text: string;
  if (typeof value === 'string') text = JSON.stringify(value);
  else if (typeof value === 'bigint') text = `${value}n`;
  else {
    try {
      text = JSON.stringify(value) ?? String(value);
    } catch {
      text = Object.prototype.toString.call(value);
    }
  }
  return text.length > DISPLAY_LIMIT ? `${text.slice(0, DISPLAY_LIMIT - 1)}…` : text;
}

/** One sentence a person can act on. */
export function faultText(fault: Fault): string {
  return `${fault.field} is ${fault.value}: ${fault.rule}. ${fault.cure}`;
}

/** Thrown where input from outside does not keep its rules. Carries every fault found, not only the first. */
export class InvalidInputError extends Error {
  override readonly name = 'InvalidInputError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super(faults.map(faultText).join('\n'));
    this.faults = faults;
  }
}

/** Collects the faults of one input so that they can be reported together. */
export class FaultCollector {
  readonly faults: Fault[] = [];

  add(field: string, value: unknown, rule: string, cure: string): void {
    this.faults.push({ field, value: value === REDACTED ? REDACTED : display(value), rule, cure });
  }

  /** Runs a parser; its faults are collected and `undefined` is returned instead of throwing. */
  attempt<T>(parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      this.faults.push(...error.faults);
      return undefined;
    }
  }

  /** @throws InvalidInputError if any fault was collected. */
  throwIfAny(): void {
    if (this.faults.length > 0) throw new InvalidInputError(this.faults);
  }
}

/** Whether a field of a form or a variable was left out: absent, null, or nothing but white space. */
export function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '');
}

/** The message of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
