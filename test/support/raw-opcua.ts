/** An OPC UA client without manners: it sends whatever bytes a test makes, over a channel without security. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import * as opcua from 'node-opcua';

type Request = { encode(stream: opcua.BinaryStream): void; binaryStoreSize(): number };
type Response = { responseHeader: { serviceResult: opcua.StatusCode; requestHandle: number } };

/** What came back: a decoded response, an Error message, or the end of the connection without any. */
export type Answer =
  | { readonly kind: 'response'; readonly name: string; readonly response: Response }
  | { readonly kind: 'error'; readonly status: string }
  | { readonly kind: 'acknowledged'; readonly chunkSize: number; readonly maxMessageSize: number }
  | { readonly kind: 'closed' }
  | { readonly kind: 'silence' };

const NONE = 'http://opcfoundation.org/UA/SecurityPolicy#None';

const responses = new Map<number, new () => Response & { decode(stream: opcua.BinaryStream): void }>();
for (const [name, value] of Object.entries(opcua))
  if (typeof value === 'function' && (name.endsWith('Response') || name === 'ServiceFault')) {
    const id: unknown = Reflect.get(value, 'encodingDefaultBinary');
    if (id instanceof opcua.NodeId && typeof id.value === 'number')
      responses.set(id.value, value as new () => Response & { decode(stream: opcua.BinaryStream): void });
  }

/** The name of a status code. */
export function statusName(code: number): string {
  return opcua.getStatusCodeFromCode(code >>> 0).name;
}

export function encoded(request: Request): Buffer {
  const id: unknown = Reflect.get(request.constructor, 'encodingDefaultBinary');
  const stream = new opcua.BinaryStream(request.binaryStoreSize() + 32);
  opcua.encodeExpandedNodeId(id as opcua.ExpandedNodeId, stream);
  request.encode(stream);
  return stream.buffer.subarray(0, stream.length);
}

export class RawClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #bodies: Buffer[] = [];
  readonly #answers: Answer[] = [];
  readonly #waiting: (() => void)[] = [];
  /** Ways to log in, by type. */
  readonly #policies = new Map<opcua.UserTokenType, string>();
  #sequence = 0;
  #request = 0;
  #channel = 0;
  #token = 0;
  authenticationToken: opcua.NodeId = new opcua.NodeId();
  closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data) => this.#receive(data));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.#put({ kind: 'closed' });
    });
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** With Hello and an open channel. */
  static async open(port: number, hello: Partial<Hello> = {}): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.hello(hello);
    const answer = await client.next();
    if (answer.kind !== 'acknowledged') throw new Error(`no acknowledge: ${nameOf(answer)}`);
    await client.openChannel();
    return client;
  }

  /** With a session that has logged in without a user. */
  static async login(port: number, hello: Partial<Hello> = {}): Promise<RawClient> {
    const client = await RawClient.open(port, hello);
    await client.createSession();
    const answer = await client.activateSession();
    if (nameOf(answer) !== 'Good') throw new Error(`no login: ${nameOf(answer)}`);
    return client;
  }

  hello({ maxMessageSize = 0, maxChunkCount = 0, bufferSize = 65_536 }: Partial<Hello> = {}): void {
    const url = Buffer.from('opc.tcp://localhost');
    const body = Buffer.alloc(24 + url.length);
    [0, bufferSize, bufferSize, maxMessageSize, maxChunkCount, url.length].forEach((value, index) => {
      body.writeUInt32LE(value, 4 * index);
    });
    url.copy(body, 24);
    this.write(chunk('HEL', 'F', body));
  }

  async openChannel(): Promise<void> {
    const request = new opcua.OpenSecureChannelRequest({
      requestType: opcua.SecurityTokenRequestType.Issue,
      securityMode: opcua.MessageSecurityMode.None,
      requestedLifetime: 600_000,
    });
    this.write(this.openChunk(encoded(request)));
    const answer = await this.next();
    if (answer.kind !== 'response') throw new Error(`no channel: ${JSON.stringify(answer)}`);
    const { securityToken } = answer.response as opcua.OpenSecureChannelResponse;
    this.#channel = securityToken.channelId;
    this.#token = securityToken.tokenId;
  }

  openChunk(body: Buffer): Buffer {
    const uri = Buffer.from(NONE);
    const header = Buffer.alloc(4 + 4 + uri.length + 8 + 8);
    header.writeInt32LE(uri.length, 4);
    uri.copy(header, 8);
    let offset = 8 + uri.length;
    for (const value of [-1, -1, ++this.#sequence, ++this.#request]) offset = header.writeInt32LE(value, offset);
    return chunk('OPN', 'F', Buffer.concat([header, body]));
  }

  async createSession(): Promise<opcua.CreateSessionResponse> {
    const answer = await this.ask(
      new opcua.CreateSessionRequest({
        clientDescription: { applicationUri: 'urn:raw', applicationName: { text: 'raw' } },
        endpointUrl: 'opc.tcp://localhost',
        sessionName: 'raw',
        clientNonce: Buffer.alloc(32),
        requestedSessionTimeout: 600_000,
        maxResponseMessageSize: 0,
      }),
    );
    if (answer.kind !== 'response' || answer.name !== 'CreateSessionResponse')
      throw new Error(`no session: ${nameOf(answer)}`);
    const response = answer.response as opcua.CreateSessionResponse;
    for (const { securityMode, userIdentityTokens } of response.serverEndpoints ?? [])
      if (securityMode === opcua.MessageSecurityMode.None)
        for (const { tokenType, policyId } of userIdentityTokens ?? []) this.#policies.set(tokenType, policyId ?? '');
    this.authenticationToken = response.authenticationToken;
    return response;
  }

  activateSession(): Promise<Answer> {
    return this.ask(
      new opcua.ActivateSessionRequest({
        requestHeader: { authenticationToken: this.authenticationToken },
        userIdentityToken: new opcua.AnonymousIdentityToken({
          policyId: this.#policies.get(opcua.UserTokenType.Anonymous) ?? '',
        }),
        localeIds: [],
      }),
    );
  }

  /** Logs in with a password as it is: whether it arrives encrypted matters nothing to one that is wrong. */
  guess(userName: string, password: string): Promise<Answer> {
    return this.ask(
      new opcua.ActivateSessionRequest({
        userIdentityToken: new opcua.UserNameIdentityToken({
          policyId: this.#policies.get(opcua.UserTokenType.UserName) ?? '',
          userName,
          password: Buffer.from(password),
          encryptionAlgorithm: '',
        }),
        localeIds: [],
      }),
    );
  }

  /** Sends a request of the library's in one chunk. */
  ask(request: Request & { requestHeader: opcua.RequestHeader }): Promise<Answer> {
    request.requestHeader.authenticationToken = this.authenticationToken;
    request.requestHeader.requestHandle = this.#request + 1;
    return this.askBytes(encoded(request));
  }

  /** Sends a body of a message in as many chunks as wanted. */
  askBytes(body: Buffer, chunkSize = 8_000): Promise<Answer> {
    this.sendBytes(body, chunkSize);
    return this.next();
  }

  sendBytes(body: Buffer, chunkSize = 8_000): void {
    const requestId = ++this.#request;
    for (let offset = 0; offset === 0 || offset < body.length; offset += chunkSize) {
      const isLast = offset + chunkSize >= body.length;
      this.write(this.messageChunk(body.subarray(offset, offset + chunkSize), isLast ? 'F' : 'C', requestId));
    }
  }

  messageChunk(body: Buffer, kind: 'F' | 'C' | 'A', requestId = this.#request, type = 'MSG'): Buffer {
    const header = Buffer.alloc(16);
    [this.#channel, this.#token, ++this.#sequence, requestId].forEach((value, index) => {
      header.writeUInt32LE(value >>> 0, 4 * index);
    });
    return chunk(type, kind, Buffer.concat([header, body]));
  }

  write(bytes: Buffer): void {
    if (!this.closed) this.socket.write(bytes);
  }

  /** The next answer; silence after `patience` ms. */
  async next(patience = 5_000): Promise<Answer> {
    const known = this.#answers.shift();
    if (known !== undefined) return known;
    if (this.closed) return { kind: 'closed' };
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patience);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return this.#answers.shift() ?? { kind: 'silence' };
  }

  close(): void {
    this.socket.destroy();
  }

  #put(answer: Answer): void {
    this.#answers.push(answer);
    this.#waiting.shift()?.();
  }

  #receive(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data]);
    while (this.#received.length >= 8) {
      const size = this.#received.readUInt32LE(4);
      if (this.#received.length < size) return;
      const whole = this.#received.subarray(0, size);
      this.#received = this.#received.subarray(size);
      this.#chunk(whole.toString('latin1', 0, 3), whole);
    }
  }

  #chunk(type: string, whole: Buffer): void {
    if (type === 'ERR') this.#put({ kind: 'error', status: statusName(whole.readUInt32LE(8)) });
    if (type === 'ACK')
      this.#put({ kind: 'acknowledged', chunkSize: whole.readUInt32LE(16), maxMessageSize: whole.readUInt32LE(20) });
    if (type !== 'MSG' && type !== 'OPN') return;
    const header = type === 'MSG' ? 24 : 12 + 4 + whole.readInt32LE(12) + 8 + 8;
    this.#bodies.push(whole.subarray(header));
    const kind = String.fromCharCode(whole[3] ?? 0);
    if (kind === 'C') return;
    const body = Buffer.concat(this.#bodies);
    this.#bodies = [];
    const stream = new opcua.BinaryStream(body);
    const id = opcua.decodeExpandedNodeId(stream);
    const Class = responses.get(Number(id.value));
    if (Class === undefined) throw new Error(`unknown response ${id.toString()}`);
    const response = new Class();
    response.decode(stream);
    this.#put({ kind: 'response', name: Class.name, response });
  }
}

interface Hello {
  readonly maxMessageSize: number;
  readonly maxChunkCount: number;
  readonly bufferSize: number;
}

/** One chunk with a true header. */
export function chunk(type: string, kind: string, body: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.write(type + kind, 0, 'latin1');
  header.writeUInt32LE(8 + body.length, 4);
  return Buffer.concat([header, body]);
}

/** What an answer says in one word: a status code, or that there was none. */
export function nameOf(answer: Answer): string {
  if (answer.kind === 'response') return answer.response.responseHeader.serviceResult.name;
  return answer.kind === 'error' ? answer.status : answer.kind;
}
