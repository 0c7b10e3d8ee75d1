import { display, errorText, type Fault, InvalidInputError } from '../model';
import type { AdministrationDependencies } from './dependencies';
import { devicesPayload, listDevices } from './devices-list';
import { parsePayload } from './payload';
import { gatewayStatus, statusPayload } from './status';
import { listValues, valuesPayload } from './values-list';

/** `revision` grows when inventory or metric definitions change: whoever shows lists knows when to ask again. */
export type Answer =
  | { readonly ok: true; readonly result: unknown; readonly revision: number }
  | { readonly ok: false; readonly errors: readonly Fault[]; readonly revision: number };

type UseCase = (payload: unknown, user: string | undefined) => unknown;

/**
 * What the dashboard, HTTP flows and function nodes can ask of the gateway: a topic and a payload give one answer.
 * Faults are answers, never exceptions.
 */
export class Administration {
  readonly #deps: AdministrationDependencies;
  readonly #useCases: ReadonlyMap<string, UseCase>;

  constructor(deps: AdministrationDependencies) {
    this.#deps = deps;
    const { store, clock } = deps;
    this.#useCases = new Map<string, UseCase>([
      [
        'status.get',
        (payload) => {
          parsePayload(statusPayload, payload);
          return gatewayStatus(deps);
        },
      ],
      ['devices.list', (payload) => listDevices(store, parsePayload(devicesPayload, payload))],
      ['values.list', (payload) => listValues(store, clock.now(), parsePayload(valuesPayload, payload))],
    ]);
  }

  /** Topics that are understood. */
  get topics(): readonly string[] {
    return [...this.#useCases.keys()];
  }

  /** Never rejects. */
  async handle(topic: string, payload: unknown, user?: string): Promise<Answer> {
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
      return { ok: true, result, revision: this.#deps.store.revision };
    } catch (error) {
      return { ok: false, errors: this.#faults(topic, error), revision: this.#deps.store.revision };
    }
  }

  #faults(topic: string, error: unknown): readonly Fault[] {
    if (error instanceof InvalidInputError) return error.faults;
    this.#deps.logger.error({
      operation: 'call',
      event: 'failed',
      reason: 'internal',
      message: errorText(error),
      code: topic,
    });
    return [
      {
        field: 'topic',
        value: display(topic),
        rule: 'the gateway could not answer because of a fault of its own',
        cure: 'Look at the log and report what it says.',
      },
    ];
  }
}
