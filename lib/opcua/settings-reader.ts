/** Takes single settings out of what a user, a flow or an environment gave, and collects what is wrong with them. */
import { FaultCollector } from '../model';

export class SettingsReader {
  readonly faults = new FaultCollector();
  readonly #input: Record<string, unknown>;
  readonly #names: Readonly<Partial<Record<string, string>>>;

  constructor(input: Record<string, unknown>, names: Readonly<Partial<Record<string, string>>>) {
    this.#input = input;
    this.#names = names;
  }

  name(key: string): string {
    return this.#names[key] ?? key;
  }

  raw(key: string): unknown {
    const value = this.#input[key];
    return value === null || value === '' ? undefined : value;
  }

  integer(key: string, fallback: number, minimum: number, maximum: number): number {
    const raw = this.raw(key);
    if (raw === undefined) return fallback;
    const value = typeof raw === 'string' && /^\s*-?\d+\s*$/.test(raw) ? Number(raw) : raw;
    if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
    this.faults.add(
      this.name(key),
      raw,
      `it must be a whole number from ${minimum} to ${maximum}`,
      `Leave it empty for ${fallback}.`,
    );
    return fallback;
  }

  boolean(key: string, fallback: boolean): boolean {
    const raw = this.raw(key);
    if (raw === undefined) return fallback;
    if (typeof raw === 'boolean') return raw;
    if (raw === 'true' || raw === 'false') return raw === 'true';
    this.faults.add(this.name(key), raw, 'it must be true or false', `Leave it empty for ${fallback}.`);
    return fallback;
  }

  text(key: string, fallback: string, valid: (text: string) => boolean, rule: string, cure: string): string {
    const raw = this.raw(key);
    if (raw === undefined) return fallback;
    const value = typeof raw === 'string' ? raw.trim() : undefined;
    if (value !== undefined && valid(value)) return value;
    this.faults.add(this.name(key), raw, rule, cure);
    return fallback;
  }

  choice<Choice extends string>(key: string, fallback: Choice, choices: readonly Choice[]): Choice {
    const raw = this.raw(key);
    if (raw === undefined) return fallback;
    const found = choices.find((choice) => typeof raw === 'string' && choice === raw.trim().toLowerCase());
    if (found !== undefined) return found;
    this.faults.add(this.name(key), raw, `it must be one of ${choices.join(', ')}`, `Leave it empty for ${fallback}.`);
    return fallback;
  }
}
