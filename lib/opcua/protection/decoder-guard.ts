/**
 * Sees to it that bytes which cannot be decoded are answered. node-opcua 2.186 drops such a message, says nothing, so
 * that the client waits for its own time-out, and writes all of it into the log; and some bytes make it throw out of
 * the event of the socket, which ends the process. Its channels make decoder and transport for themselves, so this
 * reaches into the prototypes of both, once per process, and lets alone what a client in the same process receives.
 */
import type { EventEmitter } from 'node:events';
import type { MessageBuilder } from 'node-opcua';
import type { Library } from '../library';
import { decodeLimits } from './decode-limits';
import { type Method, replaceMethod } from './replace-method';

/** Why requests whose header could be read are not served. */
const refusals = new WeakMap<object, 'malformed' | 'too-large'>();

/** Why a request is to be answered with a fault and nothing else, if it is. */
export function refusalOf(request: object): 'malformed' | 'too-large' | undefined {
  return refusals.get(request);
}

/** What is known of the message that a decoder is at. */
interface Watch {
  broken: object | undefined;
}

export function guardDecoder(library: Library): void {
  const { prototype } = library.MessageBuilder;
  guardTransport(library);
  const report: unknown = Reflect.get(prototype, '_report_error');
  if (typeof report !== 'function') throw new TypeError('this version of node-opcua reports errors in another way');
  const limits = decodeLimits(library);
  // Null for those of clients.
  const watches = new WeakMap<MessageBuilder, Watch | null>();

  function watch(builder: MessageBuilder): Watch | null {
    const known = watches.get(builder);
    if (known !== undefined) return known;
    const made: Watch | null = String(Reflect.get(builder, 'id')).startsWith('server') ? { broken: undefined } : null;
    watches.set(builder, made);
    if (made === null) return made;
    builder.on('invalid_message', (message: object) => {
      made.broken = message;
      // The library writes it into the log as a whole, whatever its size.
      Object.defineProperty(message, 'toString', { value: () => message.constructor.name });
    });
    // It is served from there on.
    builder.prependListener('message', () => limits.end());
    return made;
  }

  function decodeMessageBody(this: MessageBuilder, decode: Method, body: unknown): unknown {
    const known = watch(this);
    if (known === null) return Reflect.apply(decode, this, [body]);
    known.broken = undefined;
    limits.begin(this.maxMessageSize);
    try {
      const outcome = Reflect.apply(decode, this, [body]);
      if (known.broken === undefined) return outcome;
    } catch {
      // Not decodable either; the answer is the same.
    } finally {
      limits.end();
    }
    const { broken } = known;
    known.broken = undefined;
    if (broken !== undefined && isRequest(library, broken) && this.sequenceHeader !== null && isMessage(this)) {
      refusals.set(broken, limits.isExceeded ? 'too-large' : 'malformed');
      const { securityHeader, sequenceHeader, channelId } = this;
      emit(this, 'message', broken, 'MSG', securityHeader, sequenceHeader.requestId, channelId);
      return true;
    }
    return Reflect.apply(report as Method, this, [library.StatusCodes.BadDecodingError, 'the message is malformed']);
  }
  replaceMethod(
    prototype,
    '_decodeMessageBody',
    (decode) =>
      function (this: MessageBuilder, body: unknown): unknown {
        return Reflect.apply(decodeMessageBody, this, [decode, body]);
      },
  );
}

function guardTransport({ ServerTCP_transport, StatusCodes2 }: Library): void {
  const status = StatusCodes2.BadTcpInternalError;
  replaceMethod(
    ServerTCP_transport.prototype,
    '_on_socket_data',
    (receive) =>
      function onSocketData(this: InstanceType<typeof ServerTCP_transport>, data: unknown): void {
        const { warn } = console;
        if (warn !== warnQuietly) warnLoudly = warn;
        Reflect.set(console, 'warn', warnQuietly);
        try {
          Reflect.apply(receive, this, [data]);
        } catch {
          this.sendErrorMessage(status, 'the message is malformed');
          this.prematureTerminate(new Error('the message is malformed'), status);
        } finally {
          Reflect.set(console, 'warn', warn);
        }
      },
  );
}

/** What the library prints for each unknown status code that a client sends, past its own loggers. */
const NOISE = 'expecting a known StatusCode';

/** What console.warn is while nothing is decoded. */
let warnLoudly: (...args: unknown[]) => void = () => undefined;

function warnQuietly(...args: unknown[]): void {
  if (typeof args[0] !== 'string' || !args[0].startsWith(NOISE)) Reflect.apply(warnLoudly, console, args);
}

/** Events whose types the library does not export. */
function emit(emitter: EventEmitter, event: string, ...more: unknown[]): void {
  emitter.emit(event, ...more);
}

function isRequest({ RequestHeader }: Library, message: object): boolean {
  return 'requestHeader' in message && message.requestHeader instanceof RequestHeader;
}

function isMessage(builder: MessageBuilder): boolean {
  const header: unknown = Reflect.get(builder, 'messageHeader');
  return typeof header === 'object' && header !== null && 'msgType' in header && header.msgType === 'MSG';
}
