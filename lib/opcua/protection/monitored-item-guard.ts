/**
 * Keeps what one client has asked for from harming the others. Items that the library gives up half-made, as it does for
 * a filter that it does not know, have no node; it throws when they are to go, so that their session could never be
 * closed, nor the server. node-opcua 2.186 lets a client watch events without an
 * EventFilter, and throws at the next event, into whatever raised it: a log-in, a command, a new device. All monitored
 * items of a node are told one after the other, so that the rest would hear nothing.
 */
import type { Library } from '../library';
import { replaceMethod } from './replace-method';

/** What monitored items do when something happens to their node. */
const METHODS = ['_on_opcua_event', '_on_value_changed', '_on_semantic_changed'];

export function guardMonitoredItems({ MonitoredItem: { prototype } }: Library): void {
  // Lets an item go that never had a node.
  replaceMethod(
    prototype,
    '_stop_sampling',
    (stop) =>
      function stopSampling(this: { readonly node: unknown }): unknown {
        return this.node ? Reflect.apply(stop, this, []) : undefined;
      },
  );
  for (const name of METHODS)
    replaceMethod(
      prototype,
      name,
      (method) =>
        function harmless(this: object, ...args: unknown[]): unknown {
          try {
            return Reflect.apply(method, this, args);
          } catch {
            // Its client gets no notification, which is what it asked for.
            return undefined;
          }
        },
    );
}
