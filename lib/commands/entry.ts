/** A command in the memory of the queue, with its times on the monotonic clock. */
import type { Clock, Command, CommandDevice, CommandExpectation, Random } from '../model';
import { isUnsent } from './life-cycle';

/** Between two looks into ChirpStack's queue for a command that is in there, ms: doubled each time. */
const FIRST_LOOK = 30_000;
const LONGEST_LOOK = 600_000;
/** Between two tries of a call that did not arrive, ms: doubled each time. */
const FIRST_RETRY = 1_000;
export const LONGEST_RETRY = 30_000;
/** How long after its deadline events about a command may still come: the device may have to be heard for them, ms. */
const EVENTS_AWAITED = 3_600_000;
/** How far the wall clock may have gone back since a change without its age being in doubt, ms. */
const CLOCK_TOLERANCE = 1_000;

export interface Entry {
  command: Command;
  /** When it was created, monotonic ms: before the start of this process if it was restored. */
  readonly born: number;
  /** Not given to ChirpStack before this instant, monotonic ms. */
  retryAt: number;
  /** Calls in a row that did not arrive. */
  failures: number;
  /** When to look into ChirpStack's queue, monotonic ms. */
  lookAt: number;
  looks: number;
  /** Since when it was missing in ChirpStack's queue, monotonic ms. */
  absentSince: number | undefined;
  /** When the time for the expected state is over, monotonic ms. */
  verifyBy: number | undefined;
  /** Its command knows that the deadline has passed while it was with ChirpStack. */
  isOverdueNoted: boolean;
}

/** Wall clock in whole ms, as it is stored. */
export function wallTime(clock: Clock): number {
  return Math.floor(clock.now());
}

export function newEntry(command: Command, born: number): Entry {
  return {
    command,
    born,
    retryAt: 0,
    failures: 0,
    lookAt: 0,
    looks: 0,
    absentSince: undefined,
    verifyBy: undefined,
    isOverdueNoted: false,
  };
}

/**
 * An entry for a command that was stored by an earlier process.
 * @returns `isAgeKnown` is false where the wall clock went back meanwhile
 */
export function restoredEntry(command: Command, clock: Clock): { entry: Entry; isAgeKnown: boolean } {
  const passed = clock.now() - command.changedAt;
  const born = clock.monotonic() - command.age - Math.max(0, passed);
  const entry = newEntry(command, born);
  if (command.expected !== undefined && command.transmittedAt !== undefined) {
    const sentAgo = Math.max(0, clock.now() - command.transmittedAt);
    entry.verifyBy = clock.monotonic() + command.expected.within - sentAgo;
  }
  return { entry, isAgeKnown: passed >= -CLOCK_TOLERANCE };
}

export function deadlineOf({ born, command }: Entry): number {
  return born + command.deadline;
}

/** Whether no event is awaited any more where nobody can be asked. @param now monotonic ms */
export function isLongOver(entry: Entry, now: number): boolean {
  return now - deadlineOf(entry) >= EVENTS_AWAITED;
}

/** Whether ChirpStack's queue can tell something about it. */
export function needsLook({ command }: Entry): boolean {
  const { state, call, confirmed, endedAt } = command;
  return (
    (state === 'Sending' && call === 'unclear') ||
    state === 'Enqueued' ||
    (state === 'Transmitted' && confirmed && endedAt === undefined)
  );
}

/** Whether no younger command of the device may be sent before it is settled. */
export function isAwaited({ command }: Entry): boolean {
  return command.state === 'Queued' || command.state === 'Sending';
}

/** ms until a call is tried again, one more each time. */
export function retryDelay(entry: Entry, random: Random): number {
  const delay = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(entry.failures++, 16));
  return delay * (0.5 + 0.5 * random());
}

/** The next look at something that was found. */
export function lookLater(entry: Entry, now: number): void {
  entry.absentSince = undefined;
  entry.lookAt = now + Math.min(LONGEST_LOOK, FIRST_LOOK * 2 ** Math.min(entry.looks++, 16));
}

/** Whether the passing of its deadline would be news of one that is with ChirpStack. */
export function isOverdueNews({ command, isOverdueNoted }: Entry): boolean {
  return command.state === 'Enqueued' && !isOverdueNoted;
}

/** The instant at which something is due for an entry, monotonic ms. */
export function nextDue(entry: Entry): number {
  let due = Number.POSITIVE_INFINITY;
  if (isUnsent(entry.command) || isOverdueNews(entry)) due = Math.min(due, deadlineOf(entry));
  if (needsLook(entry)) due = Math.min(due, entry.lookAt);
  if (entry.verifyBy !== undefined && entry.command.endedAt === undefined) due = Math.min(due, entry.verifyBy);
  return due;
}

/**
 * Expiry for ChirpStack, µs UTC: not after the deadline, and unlike that of any other command of the device, so that
 * the item can be recognised in the queue. See findItem.
 * @param left ms until the deadline
 */
export function uniqueExpiry(now: number, left: number, others: Iterable<Command>, random: () => number): number {
  const taken = new Set(Array.from(others, ({ expiry }) => (expiry === undefined ? -1 : Math.floor(expiry / 1_000))));
  let milliseconds = Math.floor(now + left) - 1;
  while (taken.has(milliseconds)) milliseconds--;
  return milliseconds * 1_000 + 1 + Math.floor(random() * 999);
}

/** When the device can be expected to get what waits for it; `undefined` once it has left. */
export function expectationOf(
  { state }: Command,
  device: CommandDevice | undefined,
  now: number,
): CommandExpectation | undefined {
  if (device === undefined || (state !== 'Queued' && state !== 'Sending' && state !== 'Enqueued')) return undefined;
  if (device.deviceClass !== 'A') return { when: 'now' };
  const { lastSeenAt, uplinkInterval } = device;
  if (lastSeenAt === undefined || uplinkInterval === undefined || uplinkInterval <= 0) return { when: 'next-uplink' };
  const missed = Math.max(0, Math.ceil((now - lastSeenAt) / uplinkInterval) - 1);
  return { when: 'next-uplink', at: lastSeenAt + (missed + 1) * uplinkInterval };
}
