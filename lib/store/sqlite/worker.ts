/** A worker thread around the database: one writes, another reads. A slow disk then never stalls the event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import { StorageError } from '../backend';
import { transferables } from '../columns';
import { failureRecord } from './failure';
import type { WorkerAnswer, WorkerData, WorkerRequest } from './protocol';
import { DatabaseReader } from './reader';
import { DatabaseWriter } from './writer';

const { role, file } = workerData as WorkerData;
let writer: DatabaseWriter | undefined;
let reader: DatabaseReader | undefined;

function opened(): DatabaseWriter {
  if (writer) return writer;
  throw new StorageError('internal', 'the database is not open', 'Look at the log for why it could not be opened.');
}

function execute(request: WorkerRequest): { result: unknown; transfer: ArrayBuffer[] } {
  switch (request.name) {
    case 'open': {
      writer?.close({ clean: false });
      const { writer: begun, state } = DatabaseWriter.open(file, request.argument);
      writer = begun;
      return { result: state, transfer: transferables(state.currents) };
    }
    case 'write':
      opened().write(request.argument);
      return { result: undefined, transfer: [] };
    case 'prune':
      return { result: opened().prune(request.argument), transfer: [] };
    case 'readHistory': {
      // Opened at the first read, when the writer has surely made the file.
      reader ??= new DatabaseReader(file);
      const page = reader.readHistory(request.argument);
      return { result: page, transfer: transferables(page) };
    }
    case 'close':
      writer?.close(request.argument);
      reader?.close();
      return { result: undefined, transfer: [] };
  }
}

const port = parentPort;
if (port === null) throw new Error(`the ${role} of the database runs in a worker thread only`);
port.on('message', (request: WorkerRequest) => {
  let answer: WorkerAnswer;
  let transfer: ArrayBuffer[] = [];
  try {
    const done = execute(request);
    answer = { id: request.id, result: done.result };
    transfer = done.transfer;
  } catch (error) {
    answer = { id: request.id, failure: failureRecord(error) };
  }
  port.postMessage(answer, transfer);
});
