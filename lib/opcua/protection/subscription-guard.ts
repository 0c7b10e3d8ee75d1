/**
 * Lets a subscription with many monitored items go in turns with other work: node-opcua 2.186 ends them all at once, and
 * nobody is served while it does.
 */
import type { MonitoredItem, Subscription } from 'node-opcua';
import type { Library } from '../library';
import { replaceMethod } from './replace-method';

/** Monitored items that go at once. */
const PART = 200;

export function guardSubscriptions({ Subscription, SubscriptionState }: Library): void {
  replaceMethod(
    Subscription.prototype,
    'terminate',
    (terminate) =>
      function terminateInTurns(this: Subscription): void {
        const items = itemsOf(this);
        const isLong = this.state !== SubscriptionState.CLOSED && items.size > PART;
        if (isLong) Reflect.set(this, 'monitoredItems', new Map());
        Reflect.apply(terminate, this, []);
        if (isLong) endInTurns(this, [...items.values()]);
      },
  );
}

/** The count that limits the monitored items of all clients: they count until they are gone. */
function counterOf(subscription: Subscription): { totalMonitoredItemCount: number } {
  const counter: unknown = Reflect.get(subscription, 'globalCounter');
  if (typeof counter !== 'object' || counter === null || !('totalMonitoredItemCount' in counter))
    throw new TypeError('this version of node-opcua counts monitored items in another way');
  return counter as { totalMonitoredItemCount: number };
}

function itemsOf(subscription: Subscription): Map<number, MonitoredItem> {
  const items: unknown = Reflect.get(subscription, 'monitoredItems');
  if (!(items instanceof Map)) throw new TypeError('this version of node-opcua keeps monitored items in another way');
  return items as Map<number, MonitoredItem>;
}

/** As the library does it. What they are told meanwhile goes nowhere: their subscription publishes no more. */
function endInTurns(subscription: Subscription, items: MonitoredItem[], start = 0): void {
  const counter = counterOf(subscription);
  for (const item of items.slice(start, start + PART)) {
    item.terminate();
    subscription.emit('removeMonitoredItem', item);
    item.dispose();
    counter.totalMonitoredItemCount -= 1;
  }
  if (start + PART < items.length) setImmediate(() => endInTurns(subscription, items, start + PART));
}
