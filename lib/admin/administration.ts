import { CommandRefusedError, display, errorText, type Fault, InvalidInputError, type Refusal } from '../model';
import { Acts } from './acts';
import type { AdministrationDependencies } from './dependencies';
import { faultsOf, internalFault } from './failures';
import { clientTopics } from './topics/clients';
import { commandTopics } from './topics/commands';
import { fileTopics } from './topics/files';
import { historyTopics } from './topics/history';
import { stateTopics } from './topics/state';
import { userTopics } from './topics/users';
import type { UseCase } from './use-cases';

/** `revision` grows when inventory or metric definitions change: whoever shows lists knows when to ask again. */
export type Answer =
  | { readonly ok: true; readonly result: unknown; readonly revision: number }
  | {
      readonly ok: false;
      readonly errors: readonly Fault[];
      readonly revision: number;
      /** Of a command that was not taken: which kind of no it is. */
      readonly refusal?: Refusal;
      /** With the refusal `confirmation-needed`: what the second request of the same carries, valid for a minute. */
      readonly confirmation?: string;
    };

/**
 * What the dashboard, HTTP flows and function nodes can ask of the gateway: a topic and a payload give one answer.
 * Faults are answers, never exceptions.
 */
export class Administration {
  readonly #deps: AdministrationDependencies;
  readonly #useCases: ReadonlyMap<string, UseCase>;
  readonly #acts: Acts;
  readonly #closing = new AbortController();

  constructor(deps: AdministrationDependencies) {
    this.#deps = deps;
    const { store, users, administrators, opcua, clock, logger } = deps;
    const { signal } = this.#closing;
    const acts = new Acts({
      store,
      account: (name) => {
        const administrator = administrators().find((user) => user.name === name);
        return administrator === undefined ? users.find(name) : { roles: administrator.roles, isDisabled: false };
      },
      clock,
      logger,
      faults: (topic, error) => faultsOf(topic, error, signal.aborted) ?? [internalFault(topic)],
    });
    this.#acts = acts;
    this.#useCases = new Map([
      ...stateTopics(deps),
      ...historyTopics(deps, acts, signal),
      ...fileTopics(deps, acts, signal),
      ...clientTopics(opcua, acts),
      ...userTopics(users, administrators, acts),
      ...commandTopics(deps, acts, signal),
    ]);
  }

  /** Topics that are understood. */
  get topics(): readonly string[] {
    return [...this.#useCases.keys()];
  }

  /** Never rejects. */
  async handle(topic: string, payload: unknown, user?: string): Promise<Answer> {
    const { store } = this.#deps;
    const useCase = this.#useCases.get(topic);
    try {
      if (useCase === undefined)
        throw new InvalidInputError([
          {
            field: 'topic',
            value: display(topic),
            rule: 'it names what is asked',
            cure: `Use one of ${this.topics.join(', ')}.`,
          },
        ]);
      const result = await useCase(payload, user);
      return { ok: true, result, revision: store.revision };
    } catch (error) {
      return { ok: false, errors: this.#faults(topic, error), revision: store.revision, ...refusalOf(error) };
    }
  }

  /** Ends what is still being read or written; an unfinished file is removed. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#acts.ended();
  }

  #faults(topic: string, error: unknown): readonly Fault[] {
    const known = faultsOf(topic, error, this.#closing.signal.aborted);
    if (known !== undefined) return known;
    this.#deps.logger.error({
      operation: 'call',
      event: 'failed',
      reason: 'internal',
      message: errorText(error),
      code: topic,
    });
    return [internalFault(topic)];
  }
}

function refusalOf(error: unknown): { readonly refusal?: Refusal; readonly confirmation?: string } {
  if (!(error instanceof CommandRefusedError)) return {};
  const { refusal, confirmation } = error;
  return { refusal, ...(confirmation === undefined ? {} : { confirmation }) };
}
