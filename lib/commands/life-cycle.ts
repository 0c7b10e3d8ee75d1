/**
 * The life of a command (design §9) as a pure function: what is known, and what comes to be known. It is total (every
 * input in every state has an answer), nothing goes back, and evidence that comes late, twice or out of order does no
 * harm. What only time can decide (deadlines, how long an absence must last) is decided by the queue, which says so by
 * an input.
 */
import type { Command, CommandState, CommandTransition, DeviceEvent, MetricValue, Reading } from '../model';
import { findItem, type QueueItem } from './queue-picture';

export type CommandInput =
  /** It is given to ChirpStack now, with this expiry, µs UTC. */
  | { readonly type: 'dispatching'; readonly expiry: number }
  | { readonly type: 'accepted'; readonly queueItemId: string; readonly reason?: string }
  /** ChirpStack said no; nothing is in its queue. */
  | { readonly type: 'refused'; readonly reason: string }
  /** The call provably did not arrive. */
  | { readonly type: 'unsent'; readonly reason: string }
  /** The call may have arrived: it failed, or the program ended while it was under way. */
  | { readonly type: 'unclear'; readonly reason: string }
  | { readonly type: 'event'; readonly event: DeviceEvent }
  /**
   * What ChirpStack's queue of the device holds. `conclusive`: an item that is not in it has been missing for so long
   * that an event about it would have come.
   */
  | {
      readonly type: 'picture';
      readonly items: readonly QueueItem[];
      readonly conclusive: boolean;
      readonly note?: string;
    }
  /** Nobody can be asked what became of it; `isOver`: events are not awaited any more either. */
  | { readonly type: 'undecidable'; readonly reason: string; readonly isOver: boolean }
  /** The deadline has passed. */
  | { readonly type: 'overdue'; readonly reason: string }
  | { readonly type: 'cancel'; readonly user: string }
  /** ChirpStack's queue was emptied. */
  | { readonly type: 'flushed'; readonly user: string }
  | { readonly type: 'superseded'; readonly by: string }
  | { readonly type: 'reading'; readonly reading: Reading }
  /** The time for the expected state is over. */
  | { readonly type: 'verification-over' };

/**
 * Grows with every transition; equal for states that exclude each other. Failed stands where its cause puts it: see
 * {@link rankOf}.
 */
const RANKS: Readonly<Record<CommandState, number>> = {
  Queued: 0,
  Sending: 1,
  Enqueued: 2,
  Uncertain: 3,
  Expired: 4,
  Cancelled: 4,
  Transmitted: 5,
  Failed: 6,
  Acknowledged: 7,
  Verified: 9,
  Rejected: 9,
  Superseded: 9,
};
/** Other failures than a missing acknowledgement are not undone by an acknowledgement. */
const FAILED_FOR_GOOD = 8;

/** How much is known: never falls in the life of a command, and rises with each transition. */
export function rankOf({ state, failure }: Pick<Command, 'state' | 'failure'>): number {
  return state === 'Failed' && failure !== 'unacknowledged' ? FAILED_FOR_GOOD : RANKS[state];
}

/** Whether it can still be taken back: it is provably not with ChirpStack. */
export function isUnsent({ state, call }: Pick<Command, 'state' | 'call'>): boolean {
  return state === 'Queued' || (state === 'Sending' && call === 'unsent');
}

/** Whether it has not left for the device yet, as far as is known. */
export function isBeforeTransmission({ state }: Pick<Command, 'state'>): boolean {
  return state === 'Queued' || state === 'Sending' || state === 'Enqueued';
}

/**
 * The command after an input; the same object if the input changes nothing.
 * @param now wall clock, ms UTC
 */
export function advance(command: Command, input: CommandInput, now: number): Command {
  switch (input.type) {
    case 'dispatching':
      return isUnsent(command)
        ? move(
            { ...command, call: 'open', attempts: command.attempts + 1, expiry: input.expiry },
            'Sending',
            'It is given to ChirpStack.',
            now,
          )
        : command;
    case 'accepted':
      return accepted(command, input.queueItemId, input.reason ?? IN_QUEUE, now);
    case 'refused':
      return command.state === 'Sending' && command.call === 'open'
        ? move({ ...command, call: 'refused' }, 'Rejected', input.reason, now)
        : command;
    case 'unsent':
      return unsent(command, input.reason, now);
    case 'unclear':
      return command.state === 'Sending' && command.call === 'open'
        ? note({ ...command, call: 'unclear' }, input.reason, now)
        : command;
    case 'event':
      return happened(command, input.event, now);
    case 'picture':
      return seen(command, input, now);
    case 'undecidable':
      return undecidable(command, input, now);
    case 'overdue':
      return overdue(command, input.reason, now);
    case 'cancel':
      return cancel(command, input.user, now);
    case 'flushed':
      return command.state === 'Enqueued' && command.flushedBy === undefined
        ? note({ ...command, flushedBy: input.user }, `The queue of the device was emptied${by(input.user)}.`, now)
        : command;
    case 'superseded':
      return isUnsent(command) ? move(command, 'Superseded', `Command ${input.by} took its place.`, now) : command;
    case 'reading':
      return measured(command, input.reading, now);
    case 'verification-over':
      return verificationOver(command, now);
  }
}

const IN_QUEUE = 'ChirpStack has it in the queue of the device.';

const by = (user: string): string => (user === '' ? '' : ` by ${user}`);

/** To another state, if it is a step forward. */
function move(command: Command, state: CommandState, reason: string, now: number): Command {
  if (command.state === state) return note(command, reason, now);
  const transition: CommandTransition = { state, time: now, reason };
  const moved = { ...command, state, reason, changedAt: now, transitions: [...command.transitions, transition] };
  return ended(moved, now);
}

/** Same state, but more is known. */
function note(command: Command, reason: string, now: number): Command {
  return { ...command, reason, changedAt: now };
}

/** Whether anything is still awaited. */
function ended(command: Command, now: number): Command {
  const { endedAt: _endedAt, ...open } = command;
  const { state, confirmed, expected } = command;
  const isOpen =
    state === 'Queued' ||
    state === 'Sending' ||
    state === 'Enqueued' ||
    (state === 'Transmitted' && (confirmed || expected !== undefined)) ||
    (state === 'Acknowledged' && expected !== undefined);
  return isOpen ? open : { ...command, endedAt: now };
}

function accepted(command: Command, queueItemId: string, reason: string, now: number): Command {
  // An unclear one that was given up may still be found: its id lets later events decide.
  const isAwaited = command.call === 'open' || command.call === 'unclear';
  if (!isAwaited || command.queueItemId !== undefined) return command;
  const known: Command = { ...command, call: 'accepted', queueItemId };
  if (command.state === 'Sending') return move(known, 'Enqueued', reason, now);
  return command.state === 'Uncertain' ? note(known, reason, now) : command;
}

function unsent(command: Command, reason: string, now: number): Command {
  if (command.state !== 'Sending' || command.call !== 'open') return command;
  const known: Command = { ...command, call: 'unsent' };
  if (command.cancelledBy !== undefined)
    return move(known, 'Cancelled', `Taken back${by(command.cancelledBy)}: it did not reach ChirpStack.`, now);
  return note(known, reason, now);
}

function happened(command: Command, event: DeviceEvent, now: number): Command {
  if (event.device.devEui !== command.devEui) return command;
  switch (event.type) {
    case 'txack':
      return event.queueItemId === command.queueItemId
        ? transmitted({ ...command, fCntDown: event.fCntDown }, event.time, 'A gateway sent it.', now, command)
        : command;
    case 'ack':
      if (event.queueItemId !== command.queueItemId) return command;
      return event.acknowledged
        ? acknowledged({ ...command, fCntDown: event.fCntDown }, event.time, now, command)
        : unacknowledged(command, now);
    case 'log':
      return logged(command, event.code, event.description, event.context, now);
    default:
      return command;
  }
}

function transmitted(known: Command, time: number, reason: string, now: number, before: Command): Command {
  if (RANKS.Transmitted <= rankOf(before)) {
    // An acknowledgement overtook it: only the instant is news.
    return before.transmittedAt === undefined || time < before.transmittedAt
      ? withInstant(before, known, time)
      : before;
  }
  return move({ ...known, transmittedAt: time }, 'Transmitted', reason, now);
}

function withInstant(before: Command, known: Command, time: number): Command {
  if (known.fCntDown === undefined) return before;
  return { ...before, fCntDown: known.fCntDown, transmittedAt: time };
}

function acknowledged(known: Command, time: number, now: number, before: Command): Command {
  if (RANKS.Acknowledged <= rankOf(before)) return before;
  const sent = before.transmittedAt === undefined ? { ...known, transmittedAt: time } : known;
  return move(sent, 'Acknowledged', 'The device acknowledged it.', now);
}

function unacknowledged(command: Command, now: number): Command {
  if (RANKS.Failed <= rankOf(command)) return command;
  return move(
    { ...command, failure: 'unacknowledged' },
    'Failed',
    'The device did not acknowledge it in time. It may have got it all the same: look at what it reports.',
    now,
  );
}

/** Log events that name a queue item; each of them means that the item was taken out without being sent. */
function logged(
  command: Command,
  code: string,
  description: string,
  context: Readonly<Record<string, string>>,
  now: number,
): Command {
  if (code === 'DOWNLINK_GATEWAY') {
    // It names no item; the queue gives it to the one whose turn it is.
    return command.state === 'Enqueued'
      ? note(command, `A gateway could not send it (${description}); ChirpStack tries it again.`, now)
      : command;
  }
  if (context.queue_item_id === undefined || context.queue_item_id !== command.queueItemId) return command;
  switch (code) {
    case 'EXPIRED':
      return command.state === 'Enqueued' || command.state === 'Uncertain'
        ? move(command, 'Expired', 'ChirpStack discarded it: the device was not heard before the deadline.', now)
        : command;
    case 'DOWNLINK_PAYLOAD_SIZE':
    case 'F_CNT_DOWN':
      return command.state === 'Enqueued' || command.state === 'Uncertain'
        ? move({ ...command, failure: 'discarded' }, 'Failed', discarded(code, description, context), now)
        : command;
    default:
      return command;
  }
}

function discarded(code: string, description: string, context: Readonly<Record<string, string>>): string {
  const { item_size: size, max_payload_size: limit } = context;
  if (code === 'DOWNLINK_PAYLOAD_SIZE' && size !== undefined && limit !== undefined)
    return `ChirpStack discarded it: ${size} bytes, but at its data rate the device takes at most ${limit}.`;
  return `ChirpStack discarded it: ${description}`;
}

function seen(
  command: Command,
  { items, conclusive, note: remark }: Extract<CommandInput, { type: 'picture' }>,
  now: number,
): Command {
  const item = findItem(items, command);
  if (item !== undefined) {
    const known = accepted(unflushed(command), item.id, 'It was found in the queue of the device.', now);
    // Pending is what ChirpStack makes of a confirmed item when a gateway has sent it.
    return item.isPending
      ? transmitted(
          known,
          now,
          "ChirpStack's queue says that it was sent and waits for the acknowledgement.",
          now,
          known,
        )
      : known;
  }
  if (!conclusive) return command;
  const suffix = remark === undefined ? '' : ` ${remark}`;
  if (command.state === 'Sending' && command.call === 'unclear')
    return move(
      command,
      'Uncertain',
      `It is not in ChirpStack's queue: it never got there, or it was sent already. Look at what the device reports before you send it again.${suffix}`,
      now,
    );
  if (command.state === 'Enqueued')
    return command.flushedBy === undefined
      ? move(
          command,
          'Uncertain',
          `It left ChirpStack's queue and no event said why: somebody emptied the queue, the device joined anew, or an event was lost. Look at what the device reports.${suffix}`,
          now,
        )
      : move(command, 'Cancelled', `It was taken out of ChirpStack's queue${by(command.flushedBy)}.`, now);
  return unheard(command, suffix, now);
}

/** Only messages went out, and no event came. */
function undecidable(command: Command, { reason, isOver }: { reason: string; isOver: boolean }, now: number): Command {
  const advice = `${reason} Look at what the device reports.`;
  if (command.state === 'Sending' && command.call === 'unclear')
    return move(command, 'Uncertain', `It may have been sent or not. ${advice}`, now);
  if (!isOver) return command;
  return command.state === 'Enqueued'
    ? move(command, 'Uncertain', `Its deadline is long over, and no event told what became of it. ${advice}`, now)
    : unheard(command, '', now);
}

/** It was sent, and that is all that will be known unless evidence comes late. */
function unheard(command: Command, suffix: string, now: number): Command {
  const { state, confirmed, endedAt, expected } = command;
  if (state !== 'Transmitted' || !confirmed || endedAt !== undefined || expected !== undefined) return command;
  const reason = `It was sent; no acknowledgement was reported, and none is awaited any more.${suffix}`;
  return { ...note(command, reason, now), endedAt: now };
}

/** It is in the queue, so the queue was not emptied after all. */
function unflushed(command: Command): Command {
  if (command.flushedBy === undefined) return command;
  const { flushedBy: _flushedBy, ...rest } = command;
  return rest;
}

function overdue(command: Command, reason: string, now: number): Command {
  if (command.state === 'Enqueued')
    return note(command, 'Its deadline has passed: ChirpStack discards it when the device is heard next.', now);
  return isUnsent(command) ? move(command, 'Expired', reason, now) : command;
}

function cancel(command: Command, user: string, now: number): Command {
  if (isUnsent(command)) return move(command, 'Cancelled', `Taken back${by(user)} before it was sent.`, now);
  return command.state === 'Sending' && command.cancelledBy === undefined
    ? note(
        { ...command, cancelledBy: user },
        `To be taken back${by(user)}: it is not known yet whether ChirpStack has it.`,
        now,
      )
    : command;
}

function isExpected(expected: NonNullable<Command['expected']>, value: MetricValue): boolean {
  if (typeof expected.value === 'number' && (typeof value === 'number' || typeof value === 'bigint'))
    return Math.abs(Number(value) - expected.value) <= expected.tolerance;
  return expected.value === value;
}

function measured(command: Command, reading: Reading, now: number): Command {
  const { expected, transmittedAt, state } = command;
  if (expected === undefined || transmittedAt === undefined || reading.device.devEui !== command.devEui) return command;
  // What was measured in time is believed also if it comes late, e.g. after an outage.
  const isLate = state === 'Failed' && (command.failure === 'unacknowledged' || command.failure === 'not-verified');
  if (state !== 'Transmitted' && state !== 'Acknowledged' && !isLate) return command;
  // What was measured before it was sent says nothing; nor do means and restored values.
  if (
    reading.time <= transmittedAt ||
    (reading.origin !== 'event' && reading.origin !== 'replay' && reading.origin !== 'flow')
  )
    return command;
  if (reading.time > transmittedAt + expected.within || !Object.hasOwn(reading.values, expected.metric)) return command;
  const value = reading.values[expected.metric];
  if (value === undefined) return command;
  const known = { ...command, observed: value };
  return isExpected(expected, value)
    ? move(known, 'Verified', `The device reports ${expected.metric} = ${String(value)}.`, now)
    : isLate
      ? command
      : note(
          known,
          `The device reports ${expected.metric} = ${String(value)}, not yet ${String(expected.value)}.`,
          now,
        );
}

function verificationOver(command: Command, now: number): Command {
  const { expected, observed, state } = command;
  if (expected === undefined || (state !== 'Transmitted' && state !== 'Acknowledged') || command.endedAt !== undefined)
    return command;
  const found =
    observed === undefined
      ? `the device did not report ${expected.metric}`
      : `${expected.metric} = ${String(observed)}`;
  return move(
    { ...command, failure: 'not-verified' },
    'Failed',
    `Expected ${expected.metric} = ${String(expected.value)} within ${expected.within / 1_000} s; ${found}.`,
    now,
  );
}
