/** Who calls, and what it takes to answer: shared by all services. */
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
} from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { type Clock, errorText, type Logger, wait } from '../model';
import { notAllowed, ServiceError, unauthenticated } from './errors';
import type { CallFault, FaultInjection } from './fault-injection';
import { authenticate } from './keys';
import type { Permission } from './permissions';
import type { World } from './world';

/** The caller of one call. */
export interface Caller {
  /** @throws ServiceError UNAUTHENTICATED if the caller has no token or may not do this */
  require(permission: Permission): void;
  /** Whether the caller's key is a global administrator's: those are told what does not exist. */
  readonly isAdmin: boolean;
}

export interface ServiceContext {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly faults: FaultInjection;
  /** Breaks the connection of a caller. */
  readonly cut: (peer: string) => void;
}

function identify(metadata: Metadata, world: World): Caller {
  const [value] = metadata.get('authorization');
  // A broken token is refused before the request is looked at, a missing one only when it is needed.
  const keyId = value === undefined ? undefined : authenticate(String(value), world.secret);
  const key = keyId === undefined ? undefined : world.keys.get(keyId);
  return {
    isAdmin: key?.isAdmin === true,
    require: (permission) => {
      if (keyId === undefined) throw unauthenticated('no authorization provided');
      if (!permission(key, world)) throw notAllowed();
    },
  };
}

function asStatus(error: unknown, context: ServiceContext, method: string): { code: status; details: string } {
  if (error instanceof ServiceError) return { code: error.code, details: error.details };
  context.logger.error({
    operation: 'call',
    event: 'failed',
    reason: 'internal',
    message: `A call of the simulated ChirpStack failed: ${errorText(error)}`,
    code: method,
  });
  return { code: status.INTERNAL, details: errorText(error) };
}

/** A fault that takes the answer away, one way or the other. */
const isFatal = (fault: CallFault | undefined): fault is CallFault =>
  fault !== undefined && (fault.code !== undefined || fault.cut === true);

const injected = (fault: CallFault): ServiceError =>
  new ServiceError(fault.code ?? status.UNAVAILABLE, fault.details ?? 'injected fault');

/** A unary method. @param method e.g. `DeviceService/List` */
export function unary<Request, Reply>(
  context: ServiceContext,
  method: string,
  handle: (request: Request, caller: Caller) => Reply,
): handleUnaryCall<Request, Reply> {
  const strike = (fault: CallFault, peer: string): ServiceError => {
    if (fault.cut === true) context.cut(peer);
    return injected(fault);
  };
  const answer = async (request: Request, metadata: Metadata, peer: string): Promise<Reply> => {
    const fault = context.faults.next(method);
    if (fault?.delay !== undefined) await wait(context.clock, fault.delay);
    if (isFatal(fault) && fault.when !== 'after') throw strike(fault, peer);
    const reply = handle(request, identify(metadata, context.world));
    if (isFatal(fault)) throw strike(fault, peer);
    return reply;
  };
  const respond = async (call: ServerUnaryCall<Request, Reply>, callback: sendUnaryData<Reply>): Promise<void> => {
    let reply: Reply;
    try {
      reply = await answer(call.request, call.metadata, call.getPeer());
    } catch (error) {
      callback(asStatus(error, context, method));
      return;
    }
    callback(null, reply);
  };
  return (call, callback) => {
    respond(call, callback).catch((error: unknown) => asStatus(error, context, method));
  };
}

/** A server-streaming method: `open` may throw, after that it owns the stream. */
export function streaming<Request, Reply>(
  context: ServiceContext,
  method: string,
  open: (stream: ServerWritableStream<Request, Reply>, caller: Caller) => void,
): handleServerStreamingCall<Request, Reply> {
  const start = async (stream: ServerWritableStream<Request, Reply>): Promise<void> => {
    const fault = context.faults.next(method);
    if (fault?.delay !== undefined) await wait(context.clock, fault.delay);
    if (fault?.code !== undefined) throw injected(fault);
    open(stream, identify(stream.metadata, context.world));
  };
  return (stream) => {
    // A client that goes away is no fault of the server; without a listener it would be an uncaught exception.
    stream.on('error', () => undefined);
    start(stream).catch((error: unknown) => {
      stream.emit('error', asStatus(error, context, method));
    });
  };
}
