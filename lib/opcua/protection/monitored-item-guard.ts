/**
 * Keeps what one client has asked for from harming the others. Items that the library gives up half-made, as it does for
 * a filter that it does not know, have no node; it throws when they are to go, so that their session could never be
 * closed, nor the server. node-opcua 2.186 lets a client watch events without an
 * EventFilter, and throws at the next event, into whatever raised it: a log-in, a command, a new device. All monitored
 * items of a node are told one after the other, so that the rest would hear nothing. Reaches into the prototype of the
 * library, once per process.
 */
import type { Library } from '../library';

type Method = (...args: unknown[]) => unknown;

const guarded = new WeakSet<object>();

/** What monitored items do when something happens to their node. */
const METHODS = ['_on_opcua_event', '_on_value_changed', '_on_semantic_changed'];

/** Lets an item go that never had a node. */
function guardEnd(prototype: object): void {
  const stop: unknown = Reflect.get(prototype, '_stop_sampling');
  if (typeof stop !== 'function') throw new TypeError('this version of node-opcua stops sampling in another way');
  Object.defineProperty(prototype, '_stop_sampling', {
    value(this: { readonly node: unknown }): unknown {
      return this.node ? Reflect.apply(stop, this, []) : undefined;
    },
    configurable: true,
    writable: true,
  });
}

export function guardMonitoredItems({ MonitoredItem }: Library): void {
  const { prototype } = MonitoredItem;
  if (guarded.has(prototype)) return;
  guarded.add(prototype);
  guardEnd(prototype);
  for (const name of METHODS) {
    const method: unknown = Reflect.get(prototype, name);
    if (typeof method !== 'function') throw new TypeError('this version of node-opcua notifies in another way');
    Object.defineProperty(prototype, name, {
      value(this: object, ...args: unknown[]): unknown {
        try {
          return Reflect.apply(method as Method, this, args);
        } catch {
          // Its client gets no notification, which is what it asked for.
          return undefined;
        }
      },
      configurable: true,
      writable: true,
    });
  }
}
