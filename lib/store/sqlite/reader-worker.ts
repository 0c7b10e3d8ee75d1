/** The thread that reads beside the writer: history, records, journals. */
import type { EncodedHistoryPage } from '../../model';
import { StorageError, type StoredHistoryPage, type StoredHistoryRequest } from '../backend';
import { transferables } from '../columns';
import { answerHistory, encodePage } from '../history';
import type { HistoryRows } from '../history/rows';
import { DatabaseReader } from './reader';
import { RecordReader } from './record-reader';
import { data, done, serve, unknownCall } from './worker';

const cancelledId = new Int32Array(data.cancelled);
let reader: DatabaseReader | undefined;
let recordReader: RecordReader | undefined;

/** Records are read through a connection of their own: history's statements and pages stay as they are. */
function records(): RecordReader {
  recordReader ??= new RecordReader(data.file);
  return recordReader;
}

function answer(id: number, request: StoredHistoryRequest): StoredHistoryPage {
  // Opened at the first read, when the writer has surely made the file.
  reader ??= new DatabaseReader(data.file);
  return answerHistory(cancellable(id, reader), request);
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

serve((request) => {
  switch (request.name) {
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
    case 'close':
      reader?.close();
      recordReader?.close();
      return done(undefined);
    default:
      throw unknownCall(request);
  }
});
