/**
 * Whether events come in by MQTT. Only the `mqtt in` node knows its connection, and it tells nobody but `status` nodes:
 * their messages are read here, with the events themselves as the proof that it works.
 */
import { z } from 'zod';
import type { Clock, MqttHealth } from '../model';

/** `msg.status` of a core `status` node. */
const statusSchema = z.object({
  status: z.looseObject({
    fill: z.string().optional(),
    text: z.string().optional(),
    source: z.looseObject({ id: z.string(), type: z.string() }),
  }),
});

export interface NodeStatus {
  /** Node-RED id of the node that shows it. */
  readonly node: string;
  readonly type: string;
  readonly state: 'connected' | 'connecting' | 'disconnected' | 'other';
}

/** The status of another node that a message carries; `undefined` for any other message. */
export function nodeStatusOf(message: unknown): NodeStatus | undefined {
  const parsed = statusSchema.safeParse(message);
  if (!parsed.success) return undefined;
  const { fill, text = '', source } = parsed.data.status;
  // The text is a key of Node-RED's catalogue, e.g. `node-red:common.status.connected`; a flow may have translated it.
  const word = /(?:^|\.)(connected|connecting|disconnected)$/.exec(text)?.[1];
  const byColour = { green: 'connected', yellow: 'connecting', red: 'disconnected' } as const;
  const colour = Object.entries(byColour).find(([name]) => name === fill)?.[1];
  const state = (word as NodeStatus['state'] | undefined) ?? colour ?? 'other';
  return { node: source.id, type: source.type, state };
}

/** Whether a message came out of an `mqtt in` node. */
export function isFromMqtt(message: object): boolean {
  return 'qos' in message && 'topic' in message && typeof message.topic === 'string';
}

export class MqttWatch {
  readonly #clock: Clock;
  /** By id of the `mqtt in` node; absent while it has never tried to connect. */
  readonly #connected = new Map<string, boolean>();
  #isConnected: boolean | undefined;
  #since = 0;
  #lastEvent: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes what a `status` node tells; what is not about an `mqtt in` node says nothing. */
  status({ node, type, state }: NodeStatus): void {
    if (type !== 'mqtt in' || state === 'other') return;
    // Every one says so when it is deployed; one whose broker is not to be contacted says nothing else, ever.
    if (state === 'disconnected' && !this.#connected.has(node)) return;
    this.#connected.set(node, state === 'connected');
    this.#judge([...this.#connected.values()].every((connected) => connected));
  }

  /** Takes notice of an event that came in by MQTT. */
  received(): void {
    this.#lastEvent = this.#clock.now();
    // After a deploy that left the `mqtt in` node alone it has no reason to say that it is still connected.
    if (this.#isConnected === undefined) this.#judge(true);
  }

  /** `undefined` while MQTT is not used. Of several `mqtt in` nodes one that is not connected decides. */
  health(): MqttHealth | undefined {
    if (this.#isConnected === undefined) return undefined;
    return {
      state: this.#isConnected ? 'connected' : 'disconnected',
      since: this.#since,
      ...(this.#lastEvent === undefined ? {} : { lastEvent: this.#lastEvent }),
    };
  }

  #judge(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    this.#since = this.#clock.now();
  }
}
