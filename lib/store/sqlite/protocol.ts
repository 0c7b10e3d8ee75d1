/** What the main thread and a worker say to each other. */
import type { EncodedHistoryPage, HistoryEncoding, JournalEntry, JournalQuery } from '../../model';
import type {
  DurableBatch,
  PruneResult,
  PruneSlice,
  RecordPruneSlice,
  RecordQuery,
  StorageStatistics,
  StoredHistoryPage,
  StoredHistoryRequest,
  StoredRecord,
  StoredState,
  WriteBatch,
} from '../backend';
import type { FailureRecord } from './failure';

/** What takes longest to load, and is needed last. */
export type LoadedValues = Pick<StoredState, 'currents' | 'gaps'>;

/** Calls of a worker: arguments and result by name. */
export interface WorkerCalls {
  open: { argument: { replaceDamaged: boolean; now: number }; result: Omit<StoredState, keyof LoadedValues> };
  /** Asked right after `open`. */
  loadValues: { argument: undefined; result: LoadedValues };
  write: { argument: WriteBatch; result: undefined };
  commit: { argument: DurableBatch; result: undefined };
  prune: { argument: PruneSlice; result: PruneResult };
  pruneRecords: { argument: RecordPruneSlice; result: number };
  readHistory: { argument: StoredHistoryRequest; result: StoredHistoryPage };
  readEncodedHistory: {
    argument: { request: StoredHistoryRequest; encoding: HistoryEncoding };
    result: EncodedHistoryPage;
  };
  readRecords: { argument: RecordQuery; result: readonly StoredRecord[] };
  readJournal: { argument: JournalQuery; result: readonly JournalEntry[] };
  statistics: { argument: undefined; result: StorageStatistics };
  backup: { argument: { target: string }; result: undefined };
  close: { argument: { clean: boolean }; result: undefined };
}

export type CallName = keyof WorkerCalls;

export type WorkerRequest = {
  [Name in CallName]: { id: number; name: Name; argument: WorkerCalls[Name]['argument'] };
}[CallName];

export type WorkerAnswer = { id: number; result: unknown } | { id: number; failure: FailureRecord };

export interface WorkerData {
  readonly role: 'writer' | 'reader' | 'backup';
  readonly file: string;
  /** One 32-bit integer that both sides see: id of the request whose answer nobody waits for any more. */
  readonly cancelled: SharedArrayBuffer;
}
