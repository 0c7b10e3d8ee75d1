/** Asks a server for its endpoints as a client does that knows nothing but a URL (Part 4 §5.5.4), over raw TCP. */
import { connect, type Socket } from 'node:net';
import type { EndpointDescription } from 'node-opcua';
import type { Clock } from '../model';
import type { Library } from './library';

/** Why there was no answer. */
export type ProbeFailure = 'name-unknown' | 'refused' | 'no-answer' | 'not-opc-ua';

export class ProbeError extends Error {
  override readonly name = 'ProbeError';
  readonly failure: ProbeFailure;

  constructor(failure: ProbeFailure, cause?: unknown) {
    super(failure, { cause });
    this.failure = failure;
  }
}

/** ms for all of it */
const PATIENCE = 5_000;
const BUFFER = 65_536;
/** Larger than the descriptions of any server. */
const LARGEST_ANSWER = 4 * 1024 * 1024;

interface Encodable {
  binaryStoreSize(): number;
  encode(stream: InstanceType<Library['BinaryStream']>): void;
}

/** @param url `opc.tcp://host:port` */
export function hostAndPort(url: string): { host: string; port: number } {
  // A scheme that URL knows, so that it knows the parts too.
  const { hostname, port } = new URL(url.replace(/^opc\.tcp:/i, 'ws:'));
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 4_840 : Number(port) };
}

/** @throws ProbeError */
export function askForEndpoints(library: Library, clock: Clock, url: string): Promise<readonly EndpointDescription[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(hostAndPort(url));
    let isConnected = false;
    const finish = (outcome: () => void): void => {
      timer.cancel();
      socket.destroy();
      outcome();
    };
    const fail = (failure: ProbeFailure, cause?: unknown): void => finish(() => reject(new ProbeError(failure, cause)));
    const timer = clock.after(PATIENCE, () => fail(isConnected ? 'not-opc-ua' : 'no-answer'));
    socket.on('error', (error) => fail(isConnected ? 'not-opc-ua' : failureOf(error), error));
    socket.on('close', () => fail('not-opc-ua'));
    socket.on('connect', () => {
      isConnected = true;
    });
    converse(library, socket, url).then(
      (endpoints) => finish(() => resolve(endpoints)),
      (error: unknown) => fail('not-opc-ua', error),
    );
  });
}

function failureOf(error: Error): ProbeFailure {
  const code: unknown = 'code' in error ? error.code : undefined;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA') return 'name-unknown';
  return code === 'ECONNREFUSED' ? 'refused' : 'no-answer';
}

async function converse(library: Library, socket: Socket, url: string): Promise<readonly EndpointDescription[]> {
  const chunks = chunksOf(socket);
  socket.write(hello(url));
  await expect(chunks, 'ACK');
  const open = new library.OpenSecureChannelRequest({
    requestType: library.SecurityTokenRequestType.Issue,
    securityMode: library.MessageSecurityMode.None,
    requestedLifetime: 60_000,
  });
  const policy = Buffer.from('http://opcfoundation.org/UA/SecurityPolicy#None');
  socket.write(chunk('OPN', [integers(0, policy.length), policy, integers(-1, -1, 1, 1), encoded(library, open)]));
  const opened = await expect(chunks, 'OPN');
  const header = 12 + 4 + opened.readInt32LE(12) + 8 + 8;
  const { securityToken } = decoded(library, new library.OpenSecureChannelResponse(), opened.subarray(header));
  const channel = integers(securityToken.channelId, securityToken.tokenId);
  const ask = new library.GetEndpointsRequest({ endpointUrl: url });
  socket.write(chunk('MSG', [channel, integers(2, 2), encoded(library, ask)]));
  const bodies: Buffer[] = [];
  for (let isLast = false; !isLast; ) {
    const answer = await expect(chunks, 'MSG');
    isLast = answer[3] !== 'C'.charCodeAt(0);
    bodies.push(answer.subarray(24));
  }
  const { endpoints } = decoded(library, new library.GetEndpointsResponse(), Buffer.concat(bodies));
  const close = new library.CloseSecureChannelRequest();
  socket.write(chunk('CLO', [channel, integers(3, 3), encoded(library, close)]));
  return endpoints ?? [];
}

/** Whole chunks as they come in. */
async function* chunksOf(socket: Socket): AsyncGenerator<Buffer> {
  let received = Buffer.alloc(0);
  for await (const data of socket) {
    received = Buffer.concat([received, data as Buffer]);
    while (received.length >= 8 && received.length >= received.readUInt32LE(4)) {
      const size = received.readUInt32LE(4);
      if (size < 8) throw new RangeError('no chunk');
      yield received.subarray(0, size);
      received = received.subarray(size);
    }
    if (received.length > LARGEST_ANSWER) throw new RangeError('no answer is as large');
  }
}

async function expect(chunks: AsyncGenerator<Buffer>, type: string): Promise<Buffer> {
  const { value } = await chunks.next();
  if (!Buffer.isBuffer(value) || value.toString('latin1', 0, 3) !== type) throw new TypeError(`no ${type}`);
  return value;
}

function hello(url: string): Buffer {
  const text = Buffer.from(url);
  return chunk('HEL', [integers(0, BUFFER, BUFFER, 0, 0, text.length), text]);
}

function chunk(type: string, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(`${type}F`), integers(8 + body.length), body]);
}

function integers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32LE(value >>> 0, 4 * index));
  return bytes;
}

function encoded(library: Library, request: Encodable): Buffer {
  const id: unknown = Reflect.get(request.constructor, 'encodingDefaultBinary');
  if (!(id instanceof library.ExpandedNodeId)) throw new TypeError('a request has no encoding');
  const stream = new library.BinaryStream(request.binaryStoreSize() + 32);
  library.encodeExpandedNodeId(id, stream);
  request.encode(stream);
  return stream.buffer.subarray(0, stream.length);
}

/** @throws where something else was answered, as a ServiceFault */
function decoded<Response extends { decode(stream: InstanceType<Library['BinaryStream']>): void }>(
  library: Library,
  response: Response,
  body: Buffer,
): Response {
  const stream = new library.BinaryStream(body);
  const id = library.decodeExpandedNodeId(stream);
  const expected: unknown = Reflect.get(response.constructor, 'encodingDefaultBinary');
  if (!(expected instanceof library.ExpandedNodeId) || expected.value !== id.value)
    throw new TypeError('another answer');
  response.decode(stream);
  return response;
}
