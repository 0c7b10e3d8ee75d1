/** Faults that tests ask for: calls refused, replies lost after the call had its effect, slow answers. */
import { status } from '@grpc/grpc-js';
import type { Unsubscribe } from '../model';

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
  /** How many calls it hits; all. */
  readonly times?: number;
}

/** Decides which calls go wrong. */
export class FaultInjection {
  readonly #faults = new Set<{ readonly fault: CallFault; remaining: number }>();

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
      if (--entry.remaining <= 0) this.#faults.delete(entry);
      return entry.fault;
    }
    return undefined;
  }
}
