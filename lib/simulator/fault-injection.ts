/** Faults that tests ask for: calls refused, replies lost after the call had its effect, slow answers. */
import { status } from '@grpc/grpc-js';
import type { Random, Unsubscribe } from '../model';

export interface CallFault {
  /** `DeviceService/List`, `DeviceService`, or absent for every call. */
  readonly method?: string;
  /** gRPC status to answer with; absent: only the delay. */
  readonly code?: status;
  readonly details?: string;
  /** ms before anything happens. */
  readonly delay?: number;
  /** `before` (default): refused without effect. `after`: the call has its effect, its reply is lost. */
  readonly when?: 'before' | 'after';
  /** The connection breaks instead of an answer, as when a cable is pulled: other calls on it break as well. */
  readonly cut?: boolean;
  /** How many calls it hits; all. */
  readonly times?: number;
  /** Share of the calls that it hits, 0 to 1; all. */
  readonly chance?: number;
}

/** Decides which calls go wrong. */
export class FaultInjection {
  readonly #faults = new Set<{ readonly fault: CallFault; remaining: number }>();
  readonly #random: Random;

  /** @param random for faults that hit a share of the calls */
  constructor(random: Random) {
    this.#random = random;
  }

  /** The returned function lifts the fault. */
  add(fault: CallFault): Unsubscribe {
    const entry = { fault, remaining: fault.times ?? Number.POSITIVE_INFINITY };
    this.#faults.add(entry);
    return () => {
      this.#faults.delete(entry);
    };
  }

  /** The fault that this call meets, if any. @param method e.g. `DeviceService/List` */
  next(method: string): CallFault | undefined {
    for (const entry of this.#faults) {
      const wanted = entry.fault.method;
      if (wanted !== undefined && wanted !== method && !method.startsWith(`${wanted}/`)) continue;
      if (entry.fault.chance !== undefined && this.#random() >= entry.fault.chance) continue;
      if (--entry.remaining <= 0) this.#faults.delete(entry);
      return entry.fault;
    }
    return undefined;
  }
}
