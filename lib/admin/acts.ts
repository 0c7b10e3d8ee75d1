/** What users account for: every act is in the audit journal, with what came of it, and so is every refusal. */
import type { z } from 'zod';
import {
  type Clock,
  CommandRefusedError,
  display,
  errorText,
  type Fault,
  InvalidInputError,
  type Logger,
  type LogOperation,
  type Role,
  type UserAccount,
} from '../model';
import type { AdministrationStore } from './dependencies';
import { auditEntry } from './journals';
import { parsePayload } from './payload';
import type { UseCase } from './use-cases';

type Details = Readonly<Record<string, unknown>>;

/** Roles of those who administer the gateway. */
export const ADMINISTRATORS: readonly Role[] = ['SecurityAdmin'];

/** Who does something. */
export interface Asker {
  /** `undefined` for a message that the flow itself made. */
  readonly name: string | undefined;
  /** `undefined` for a name that the gateway does not know, and for a flow. */
  readonly roles: readonly Role[] | undefined;
}

export interface Act<Payload, Result> {
  readonly topic: string;
  readonly schema: z.ZodType<Payload>;
  /** Fields of the payload that are never shown to anybody. */
  readonly secrets?: readonly string[];
  /** Fields of the payload that say what it is about, for the entry of a refusal. */
  readonly about: readonly string[];
  readonly operation: LogOperation;
  /** Who has an account here needs one of these roles. */
  readonly roles?: readonly Role[];
  /** One at a time. */
  readonly isExclusive?: boolean;
  run(payload: Payload, asker: Asker): Result | Promise<Result>;
  /** What the audit journal keeps of it; absent where the work itself enters what it did. */
  details?(result: Result, payload: Payload): Details;
  /** Type of the entry; the topic if absent. */
  readonly entryType?: string;
  /** A file that was made, for the log. */
  file?(result: Result): string;
}

export interface ActDependencies {
  readonly store: Pick<AdministrationStore, 'commit'>;
  /** What a user may do; `undefined` for names that the gateway does not know. */
  readonly account: (name: string) => Pick<UserAccount, 'roles' | 'isDisabled'> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is told of an error. */
  readonly faults: (topic: string, error: unknown) => readonly Fault[];
}

/** Faults of one refusal that are kept. */
const MOST_FAULTS = 10;

export class Acts {
  readonly #deps: ActDependencies;
  readonly #running = new Set<Promise<unknown>>();
  readonly #exclusive = new Set<string>();

  constructor(deps: ActDependencies) {
    this.#deps = deps;
  }

  useCase<Payload, Result>(act: Act<Payload, Result>): readonly [string, UseCase] {
    return [act.topic, (payload, user) => this.#keep(this.#perform(act, payload, user))];
  }

  /** A question that only users with the role SecurityAdmin may ask. */
  restrictedQuestion<Payload>(
    topic: string,
    schema: z.ZodType<Payload>,
    answer: (payload: Payload) => unknown,
  ): readonly [string, UseCase] {
    return [
      topic,
      async (payload, user) => {
        try {
          this.#checkRole(user, ADMINISTRATORS);
        } catch (error) {
          await this.#keep(this.#enter(topic, user, { refused: this.#faults(topic, error) }));
          throw error;
        }
        return answer(parsePayload(schema, payload));
      },
    ];
  }

  /** Settled when everything that is being done has ended. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  #keep<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const forget = (): void => void this.#running.delete(work);
    work.then(forget, forget);
    return work;
  }

  async #perform<Payload, Result>(
    act: Act<Payload, Result>,
    payload: unknown,
    user: string | undefined,
  ): Promise<Result> {
    const { topic, operation, entryType = topic } = act;
    const begun = this.#deps.clock.monotonic();
    let result: Result;
    let details: Details | undefined;
    try {
      if (act.roles !== undefined) this.#checkRole(user, act.roles);
      const parsed = parsePayload(act.schema, payload, act.secrets);
      result = await this.#alone(act, parsed, { name: user, roles: this.#account(user)?.roles });
      details = act.details?.(result, parsed);
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome !== undefined)
        await this.#enter(entryType, user, {
          ...aboutOf(payload, act.about),
          [outcome]: this.#faults(topic, error),
        });
      throw error;
    }
    this.#deps.logger.info({
      operation,
      event: 'succeeded',
      message: `${topic} done`,
      ...(act.file === undefined ? {} : { file: act.file(result) }),
      duration_ms: Math.round(this.#deps.clock.monotonic() - begun),
      ...userField(user),
    });
    if (details !== undefined) await this.#enter(entryType, user, details);
    return result;
  }

  async #alone<Payload, Result>(act: Act<Payload, Result>, payload: Payload, asker: Asker): Promise<Result> {
    if (act.isExclusive !== true) return act.run(payload, asker);
    const { topic } = act;
    if (this.#exclusive.has(topic))
      throw new InvalidInputError([
        { field: 'topic', value: display(topic), rule: 'one at a time is written', cure: 'Wait until it is done.' },
      ]);
    this.#exclusive.add(topic);
    try {
      return await act.run(payload, asker);
    } finally {
      this.#exclusive.delete(topic);
    }
  }

  /**
   * Who has an account here must have one of the roles. Names that the gateway does not know were let in by somebody
   * else (the administrator of the standalone program, a login of Node-RED), and a flow that asks by itself by its
   * engineer.
   */
  #checkRole(user: string | undefined, roles: readonly Role[]): void {
    const account = this.#account(user);
    if (account === undefined || (!account.isDisabled && account.roles.some((role) => roles.includes(role)))) return;
    const names = roles.join(' or ');
    throw new InvalidInputError([
      {
        field: 'user',
        value: display(user),
        rule: `only a user with the role ${names}, and not disabled, may do this`,
        cure: `Log in as ${names}, or ask one to do it.`,
      },
    ]);
  }

  #account(user: string | undefined): Pick<UserAccount, 'roles' | 'isDisabled'> | undefined {
    return user === undefined ? undefined : this.#deps.account(user);
  }

  #faults(topic: string, error: unknown): readonly Fault[] {
    return this.#deps.faults(topic, error).slice(0, MOST_FAULTS);
  }

  async #enter(topic: string, user: string | undefined, details: Details): Promise<void> {
    const { store, clock, logger } = this.#deps;
    try {
      await store.commit({ records: [], removed: [], journal: [auditEntry(clock.now(), topic, user, details)] });
    } catch (error) {
      // It is done: a backup of a database that cannot be written any more is the most needed one.
      logger.error({
        operation: 'store',
        event: 'failed',
        message: `${topic} is not in the audit journal: ${errorText(error)}`,
        ...userField(user),
      });
    }
  }
}

/** What became of an act that was not done; `undefined` where it only waits for a second yes. */
function outcomeOf(error: unknown): 'refused' | 'failed' | undefined {
  if (error instanceof CommandRefusedError) return error.refusal === 'confirmation-needed' ? undefined : 'refused';
  return error instanceof InvalidInputError ? 'refused' : 'failed';
}

function userField(user: string | undefined): { readonly user?: string } {
  return user === undefined ? {} : { user: user.slice(0, 64) };
}

function aboutOf(payload: unknown, fields: readonly string[]): Details {
  if (typeof payload !== 'object' || payload === null) return {};
  const given = payload as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    fields.flatMap((field) => {
      const value = given[field];
      if (value === undefined) return [];
      return [[field, typeof value === 'string' && value.length <= 256 ? value : display(value)]];
    }),
  );
}
