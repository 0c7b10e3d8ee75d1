/**
 * What a simulated fleet really sent, and what of it left ChirpStack through event streams: the truth that the history
 * of a gateway is held against.
 */
import { flatten, type MetricValue } from '../../lib/model';
import { milliseconds, type Simulator } from '../../lib/simulator';

/** Names one value: of a metric, at a source time. */
export function valueName(devEui: string, metric: string, time: number): string {
  return `${devEui}/${metric} ${time}`;
}

export class UplinkLedger {
  /** Every value that was ever sent, by {@link valueName}. */
  readonly sent = new Map<string, MetricValue>();
  /** Uplinks given to an event stream since {@link forgetDeliveries}: monotonic ms of the first time. */
  #deliveries = new Map<string, number>();
  readonly #valuesOf = new Map<string, readonly string[]>();

  /** @param simulator that has not started yet, so that the past of its fleet is in the ledger too */
  constructor(simulator: Simulator) {
    simulator.onUplink(({ devEui, object, time }) => {
      const names: string[] = [];
      for (const [key, value] of Object.entries(flatten(object ?? {}).values)) {
        const name = valueName(devEui, key, time);
        this.sent.set(name, value);
        names.push(name);
      }
      if (names.length > 0) this.#valuesOf.set(`${devEui} ${time}`, names);
    });
    for (const { devEui } of simulator.devices()) {
      const log = simulator.server.world.events(devEui);
      const read = log.read.bind(log);
      // What is read from it is written to the stream in the same turn.
      log.read = (position, count) => {
        const page = read(position, count);
        for (const { type, time } of page.events) {
          const uplink = `${devEui} ${milliseconds(time)}`;
          if (type === 'up' && !this.#deliveries.has(uplink)) this.#deliveries.set(uplink, performance.now());
        }
        return page;
      };
    }
  }

  /** Values given to event streams since then, with the monotonic time at which they first were, ms. */
  *delivered(): Generator<{ name: string; at: number }> {
    for (const [uplink, at] of this.#deliveries)
      for (const name of this.#valuesOf.get(uplink) ?? []) yield { name, at };
  }

  forgetDeliveries(): void {
    this.#deliveries = new Map();
  }
}
