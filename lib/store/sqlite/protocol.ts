/** What the main thread and a worker say to each other. */
import type { PruneResult, PruneSlice, StoredRange, StoredState, WriteBatch } from '../backend';
import type { SampleColumns } from '../columns';
import type { FailureRecord } from './failure';

/** Calls of a worker: arguments and result by name. */
export interface WorkerCalls {
  open: { argument: { replaceDamaged: boolean; now: number }; result: StoredState };
  write: { argument: WriteBatch; result: undefined };
  prune: { argument: PruneSlice; result: PruneResult };
  readHistory: { argument: StoredRange; result: SampleColumns };
  close: { argument: { clean: boolean }; result: undefined };
}

export type CallName = keyof WorkerCalls;

export type WorkerRequest = {
  [Name in CallName]: { id: number; name: Name; argument: WorkerCalls[Name]['argument'] };
}[CallName];

export type WorkerAnswer = { id: number; result: unknown } | { id: number; failure: FailureRecord };

export interface WorkerData {
  readonly role: 'writer' | 'reader';
  readonly file: string;
}
