/** What every thread of the database does with what it is asked. A slow disk then never stalls the event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import { StorageError } from '../backend';
import { failureRecord } from './failure';
import type { WorkerAnswer, WorkerData, WorkerRequest } from './protocol';

/** The answer to a request, with the memory in it that moves instead of being copied. */
export interface Done {
  readonly result: unknown;
  readonly transfer: ArrayBuffer[];
}

export function done(result: unknown, transfer: ArrayBuffer[] = []): Done {
  return { result, transfer };
}

/** Data that the thread was started with. */
export const data = workerData as WorkerData;

/** A request that this kind of thread does not know. */
export function unknownCall({ name }: WorkerRequest): StorageError {
  return new StorageError('internal', `the ${data.role} of the database does not do ${name}`, 'Look at the log.');
}

/** Answers each request in turn, whatever happens. */
export function serve(execute: (request: WorkerRequest) => Done | Promise<Done>): void {
  const port = parentPort;
  if (port === null) throw new Error(`the ${data.role} of the database runs in a worker thread only`);
  const reply = (answer: WorkerAnswer, transfer: ArrayBuffer[] = []): void => port.postMessage(answer, transfer);
  port.on('message', (request: WorkerRequest) => {
    const { id } = request;
    const succeed = ({ result, transfer }: Done): void => reply({ id, result }, transfer);
    const fail = (error: unknown): void => reply({ id, failure: failureRecord(error) });
    try {
      const outcome = execute(request);
      if (outcome instanceof Promise) outcome.then(succeed).catch(fail);
      else succeed(outcome);
    } catch (error) {
      fail(error);
    }
  });
}
