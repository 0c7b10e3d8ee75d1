/** A worker thread around the database: one writes, another reads. A slow disk then never stalls the event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import type { EncodedHistoryPage } from '../../model';
import { StorageError, type StoredHistoryPage, type StoredHistoryRequest } from '../backend';
import { transferables } from '../columns';
import { answerHistory, encodePage } from '../history';
import type { HistoryRows } from '../history/rows';
import { metricTransferables } from '../metric-columns';
import { backUp } from './backup';
import { failureRecord } from './failure';
import type { WorkerAnswer, WorkerData, WorkerRequest } from './protocol';
import { DatabaseReader } from './reader';
import { RecordReader } from './record-reader';
import { DatabaseWriter } from './writer';

const { role, file, cancelled } = workerData as WorkerData;
const cancelledId = new Int32Array(cancelled);
let writer: DatabaseWriter | undefined;
let reader: DatabaseReader | undefined;
let recordReader: RecordReader | undefined;

interface Done {
  readonly result: unknown;
  readonly transfer: ArrayBuffer[];
}

function done(result: unknown, transfer: ArrayBuffer[] = []): Done {
  return { result, transfer };
}

function opened(): DatabaseWriter {
  if (writer) return writer;
  throw new StorageError('internal', 'the database is not open', 'Look at the log for why it could not be opened.');
}

/** Records are read through a connection of their own: history's statements and pages stay as they are. */
function records(): RecordReader {
  recordReader ??= new RecordReader(file);
  return recordReader;
}

function answer(id: number, request: StoredHistoryRequest): StoredHistoryPage {
  // Opened at the first read, when the writer has surely made the file.
  const rows = (reader ??= new DatabaseReader(file));
  return rows.consistent(() => answerHistory(cancellable(id, rows), request));
}

/** Ends the work between two reads of rows when nobody waits for the answer any more. */
function cancellable(id: number, rows: HistoryRows): HistoryRows {
  const refuseIfCancelled = (): void => {
    if (Atomics.load(cancelledId, 0) === id)
      throw new StorageError('internal', 'nobody waits for the answer any more', 'Ask again.', 'ABORT_ERR');
  };
  return {
    range(...range) {
      refuseIfCancelled();
      return rows.range(...range);
    },
    modified(...range) {
      refuseIfCancelled();
      return rows.modified(...range);
    },
  };
}

function historyTransferables({ columns, modifiedAt }: StoredHistoryPage): ArrayBuffer[] {
  const buffers = transferables(columns);
  if (modifiedAt) buffers.push(modifiedAt.buffer as ArrayBuffer);
  return buffers;
}

/** Bytes that are the whole of their memory move; a view of something larger is copied. */
function bytesTransferables({ bytes }: EncodedHistoryPage): ArrayBuffer[] {
  return bytes.byteLength === bytes.buffer.byteLength ? [bytes.buffer as ArrayBuffer] : [];
}

function execute(request: WorkerRequest): Done | Promise<Done> {
  switch (request.name) {
    case 'open': {
      writer?.close({ clean: false });
      writer = undefined;
      const { writer: begun, state } = DatabaseWriter.open(file, request.argument);
      writer = begun;
      const { metric, time } = state.gaps;
      return done(state, [
        ...transferables(state.currents),
        ...metricTransferables(state.metrics),
        metric.buffer as ArrayBuffer,
        time.buffer as ArrayBuffer,
      ]);
    }
    case 'write':
      opened().write(request.argument);
      return done(undefined);
    case 'commit':
      opened().commit(request.argument);
      return done(undefined);
    case 'prune':
      return done(opened().prune(request.argument));
    case 'pruneRecords':
      return done(opened().pruneRecords(request.argument));
    case 'readHistory': {
      const page = answer(request.id, request.argument);
      return done(page, historyTransferables(page));
    }
    case 'readEncodedHistory': {
      const page = encodePage(answer(request.id, request.argument.request), request.argument.encoding);
      return done(page, bytesTransferables(page));
    }
    case 'readRecords':
      return done(records().readRecords(request.argument));
    case 'readJournal':
      return done(records().readJournal(request.argument));
    case 'statistics':
      return done(records().statistics());
    case 'backup':
      return backUp(file, request.argument.target).then(() => done(undefined));
    case 'close':
      writer?.close(request.argument);
      reader?.close();
      recordReader?.close();
      return done(undefined);
  }
}

const port = parentPort;
if (port === null) throw new Error(`the ${role} of the database runs in a worker thread only`);

function reply(message: WorkerAnswer, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

port.on('message', (request: WorkerRequest) => {
  const { id } = request;
  const fail = (error: unknown): void => reply({ id, failure: failureRecord(error) });
  try {
    const outcome = execute(request);
    if (outcome instanceof Promise) outcome.then(({ result, transfer }) => reply({ id, result }, transfer)).catch(fail);
    else reply({ id, result: outcome.result }, outcome.transfer);
  } catch (error) {
    fail(error);
  }
});
