/**
 * Commands: what devices can be told, and what became of it.
 *
 * 1. `parseCommandDefinitions(given)` reads definitions; `new CommandDefinitions(list)` looks them up for a device.
 * 2. `new CommandQueue({clock, random, logger, store, downlinks, definitions, devices})`, `await start()`: goes on where
 *    an earlier process stopped. `store` is a GatewayStore, `downlinks` a ChirpstackDownlinks,
 *    or MessageDownlinks where a flow sends them.
 * 3. `await submit(request)`: durable when it resolves. CommandRefusedError says by `refusal` what kind of no it is.
 * 4. Start it before the source of events, and give it all that happens: `receive(event)` for device events (txack, ack,
 *    log, join), `measure(reading)` for readings, live and replayed; order and repetition do not matter.
 * 5. `onStatus(listener)` tells each transition; `commands()`, `command(id)`, `counts()` what is known now; older ones
 *    are records of kind `command` in the store, read with `fromRecord(body)`.
 * 6. `cancel(id, user)`, `flush(devEui, user)` answer with what was really done. `close()` ends within 5 s.
 */

export { CommandDefinitions, parseCommandDefinitions } from './definitions';
export type {
  CommandRecord,
  CommandStore,
  DefinitionSource,
  DeviceLookup,
  DownlinkItem,
  Downlinks,
  EnqueueResult,
  FlushResult,
  QueueResult,
} from './doors';
export { makeId } from './ids';
export { KnownDevices } from './known-devices';
export { advance, type CommandInput, isUnsent, rankOf } from './life-cycle';
export { type DownlinkMessage, MessageDownlinks, queueItemIdOf } from './message-downlinks';
export { parseParameters } from './parameters';
export { commandDoors } from './parts';
export { decodePayload, encodePayload } from './payload';
export { COMMAND_PRESETS, type CommandPreset, presetFields } from './presets';
export { CommandQueue, type CommandQueueDependencies } from './queue';
export type { QueueItem } from './queue-picture';
export { DISPATCHES, type Dispatch, parseQueueSettings, type QueueSettings } from './queue-settings';
export { fromRecord, toRecord } from './records';
