/** The thread that owns the database and writes. */
import { StorageError } from '../backend';
import { transferables } from '../columns';
import { metricTransferables } from '../metric-columns';
import { data, done, serve, unknownCall } from './worker';
import { DatabaseWriter } from './writer';

let writer: DatabaseWriter | undefined;

function opened(): DatabaseWriter {
  if (writer) return writer;
  throw new StorageError('internal', 'the database is not open', 'Look at the log for why it could not be opened.');
}

serve((request) => {
  switch (request.name) {
    case 'open': {
      writer?.close({ clean: false });
      writer = undefined;
      const { writer: begun, state } = DatabaseWriter.open(data.file, request.argument);
      writer = begun;
      return done(state, metricTransferables(state.metrics));
    }
    case 'loadValues': {
      const values = opened().loadValues();
      const { metric, time } = values.gaps;
      return done(values, [
        ...transferables(values.currents),
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
    case 'close':
      writer?.close(request.argument);
      return done(undefined);
    default:
      throw unknownCall(request);
  }
});
