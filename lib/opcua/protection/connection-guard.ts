/**
 * Watches over TCP connections before anybody has logged in: how many there are, how fast they come, how long they may
 * stay without a session, and how much they may send. Clients with a session wait only when they send more than any
 * client needs, and are ended only when they have sent most of what nobody can read yet.
 */
import type { Server, Socket } from 'node:net';
import type { Clock, Timer, Unsubscribe } from '../../model';
import type { LiveView } from '../live-settings';
import { AddressRates } from './address-rates';
import { errorChunk, MessageMeter } from './message-meter';

/** A secure channel, as far as it matters here. */
export interface GuardedChannel {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly isOpened: boolean;
  readonly sessionTokens: Readonly<Record<string, { readonly status: string }>>;
}

/** Two messages of the largest size may be unfinished, of all connections together. */
export type ConnectionLimits = LiveView<
  'maxConnectionsPerEndpoint' | 'connectionsPerAddressPerMinute' | 'maxMessageSize'
>;

export type RefusalReason = 'too-fast' | 'too-many' | 'silent' | 'too-large';

export interface ConnectionGuardOptions {
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  /** Told once per reason and address while it goes on; with the count of what was held back when it is over. */
  readonly onRefused: (address: string, reason: RefusalReason, count: number) => void;
}

/** ms until a channel must be open. */
const TIME_TO_OPEN = 20_000;
/** ms that a channel without activated session may ask nothing. */
const TIME_WITHOUT_SESSION = 40_000;
const SWEEP = 5_000;
/** Nobody heard for so long = the flood is over, ms. */
const QUIET = 60_000;
/** Largest message before a session is activated, bytes: room for a chain of certificates. */
export const LARGEST_FIRST_MESSAGE = 131_072;
/** ms in which a connection may send so many bytes; then it has to wait. */
const WINDOW = 50;
/** Plenty to log in, and little enough that decoding what strangers send leaves time for others. */
const STRANGER_BYTES = 262_144;
/** Clients with a session read as fast as they can: many nodes in each request, as often as they are answered. */
const CLIENT_BYTES = 4_194_304;
/** Sockets that the system may hand over beyond the limit, until this guard has looked at them. */
const ACCEPTED_AHEAD = 64;
/** Floods told apart; more than that are one. */
const MAX_FLOODS = 200;

/** BadTcpMessageTooLarge, Part 6 §7.1.2.5. */
const MESSAGE_TOO_LARGE = 0x80800000;

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  readonly since: number;
  lastRequest: number;
  channel: GuardedChannel | undefined;
  /** Bytes of the message that is coming in. */
  unfinished: number;
}

interface Flood {
  readonly address: string;
  readonly reason: RefusalReason;
  count: number;
  last: number;
}

/** IPv4 as it is written, IPv6 by its network: a host has as many addresses in it as it likes. */
export function addressGroup(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(8 - groups.length - rest.length, 0);
  return [...groups, ...Array.from({ length: zeros }, () => '0'), ...rest].slice(0, 4).join(':');
}

function hasSession(channel: GuardedChannel | undefined): boolean {
  return channel !== undefined && Object.values(channel.sessionTokens).some(({ status }) => status === 'active');
}

export class ConnectionGuard {
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #onRefused: ConnectionGuardOptions['onRefused'];
  readonly #rates: AddressRates;
  readonly #connections = new Set<Connection>();
  readonly #byPeer = new Map<string, Connection>();
  readonly #byChannel = new WeakMap<GuardedChannel, Connection>();
  readonly #floods = new Map<string, Flood>();
  readonly #timer: Timer;
  readonly #servers = new Set<Server>();
  readonly #unsubscribe: Unsubscribe;
  /** Bytes of messages that are coming in, of all connections. */
  #unfinished = 0;

  constructor({ clock, limits, onRefused }: ConnectionGuardOptions) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onRefused = onRefused;
    this.#rates = new AddressRates(limits.current.connectionsPerAddressPerMinute);
    this.#timer = clock.every(SWEEP, () => this.#sweep());
    this.#unsubscribe = limits.onChange(() => this.#follow());
  }

  /** Stands before whatever listened to new connections so far. */
  watch(server: Server): void {
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    this.#servers.add(server);
    this.#follow();
    server.on('connection', (socket: Socket) => {
      if (!this.#admit(socket)) return;
      for (const listener of listeners) Reflect.apply(listener, server, [socket]);
    });
  }

  /** Sockets that are open now. */
  get count(): number {
    return this.#connections.size;
  }

  /** Hello and Acknowledge have been exchanged. */
  channelMade(channel: GuardedChannel): void {
    const { remoteAddress, remotePort } = channel;
    const connection = this.#byPeer.get(`${remoteAddress} ${remotePort}`);
    if (connection === undefined) return;
    connection.channel = channel;
    this.#byChannel.set(channel, connection);
  }

  /** A whole request has come in. */
  requested(channel: GuardedChannel): void {
    const connection = this.#byChannel.get(channel);
    if (connection !== undefined) connection.lastRequest = this.#clock.monotonic();
  }

  close(): void {
    this.#timer.cancel();
    this.#unsubscribe();
    for (const flood of this.#floods.values()) this.#tell(flood);
    this.#floods.clear();
  }

  /** Ends all connections and listens no more. */
  freePort(): void {
    for (const server of this.#servers) server.close();
    for (const connection of this.#connections) this.#end(connection);
  }

  #follow(): void {
    const { maxConnectionsPerEndpoint, connectionsPerAddressPerMinute } = this.#limits.current;
    this.#rates.perMinute = connectionsPerAddressPerMinute;
    for (const server of this.#servers) server.maxConnections = maxConnectionsPerEndpoint + ACCEPTED_AHEAD;
  }

  #admit(socket: Socket): boolean {
    const now = this.#clock.monotonic();
    // Gone before it was looked at.
    if (socket.remoteAddress === undefined) {
      socket.destroy();
      return false;
    }
    const address = addressGroup(socket.remoteAddress);
    if (!this.#rates.take(address, now)) {
      this.#refuse(address, 'too-fast');
      socket.resetAndDestroy();
      return false;
    }
    if (this.#connections.size >= this.#limits.current.maxConnectionsPerEndpoint && !this.#makeRoom(address)) {
      this.#refuse(address, 'too-many');
      socket.resetAndDestroy();
      return false;
    }
    this.#add(socket, address, now);
    return true;
  }

  #add(socket: Socket, address: string, now: number): void {
    const connection: Connection = { socket, address, since: now, lastRequest: now, channel: undefined, unfinished: 0 };
    const peer = `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`;
    this.#connections.add(connection);
    this.#byPeer.set(peer, connection);
    socket.on('close', () => {
      this.#forget(connection);
      if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer);
    });
    // Whoever speaks first may have gone already.
    socket.on('error', () => undefined);
    this.#measure(connection);
  }

  #measure(connection: Connection): void {
    const { socket } = connection;
    const meter = new MessageMeter();
    let windowEnd = 0;
    let sent = 0;
    socket.on('data', (data: Buffer) => {
      if (!this.#connections.has(connection)) return;
      const largest = meter.feed(data);
      this.#unfinished += meter.unfinished - connection.unfinished;
      connection.unfinished = meter.unfinished;
      if (largest > LARGEST_FIRST_MESSAGE && !hasSession(connection.channel)) this.#endLarge(connection);
      else if (this.#unfinished > 2 * this.#limits.current.maxMessageSize) this.#endLargest();
      const now = this.#clock.monotonic();
      if (now >= windowEnd) {
        windowEnd = now + WINDOW;
        sent = 0;
      }
      sent += data.length;
      if (sent <= STRANGER_BYTES || socket.isPaused()) return;
      if (sent <= CLIENT_BYTES && hasSession(connection.channel)) return;
      socket.pause();
      this.#clock.after(windowEnd - now, () => socket.resume());
    });
  }

  /** One that sends more than it may, or the one that has sent most of what nobody can read yet. */
  #endLarge(connection: Connection): void {
    this.#refuse(connection.address, 'too-large');
    connection.socket.end(errorChunk(MESSAGE_TOO_LARGE, 'the server takes no message as large now'));
    connection.socket.destroySoon();
    this.#forget(connection);
  }

  #endLargest(): void {
    const [largest] = [...this.#connections].sort((a, b) => b.unfinished - a.unfinished);
    if (largest !== undefined) this.#endLarge(largest);
  }

  /**
   * Ends the oldest connection without session of whoever has most of them, so that a flood drives out its own.
   * @returns whether there was one
   */
  #makeRoom(newcomer: string): boolean {
    const byAddress = new Map<string, Connection[]>();
    for (const connection of this.#connections) {
      if (hasSession(connection.channel)) continue;
      const group = byAddress.get(connection.address);
      if (group === undefined) byAddress.set(connection.address, [connection]);
      else group.push(connection);
    }
    let most: Connection[] = [];
    for (const [address, group] of byAddress) {
      const size = group.length + (address === newcomer ? 1 : 0);
      if (size > most.length) most = group;
    }
    // In the order in which they came.
    const [victim] = most;
    if (victim === undefined) return false;
    this.#refuse(victim.address, 'too-many');
    this.#end(victim);
    return true;
  }

  #end(connection: Connection): void {
    connection.socket.destroy();
    this.#forget(connection);
  }

  /** It counts no more, though the system may need a moment to close it. */
  #forget(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#unfinished -= connection.unfinished;
    connection.unfinished = 0;
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    for (const connection of this.#connections) {
      const { since, lastRequest, channel, address } = connection;
      const isLate =
        channel?.isOpened === true
          ? !hasSession(channel) && now - lastRequest > TIME_WITHOUT_SESSION
          : now - since > TIME_TO_OPEN;
      if (!isLate) continue;
      this.#refuse(address, 'silent');
      this.#end(connection);
    }
    this.#rates.forgetOld(now);
    for (const [key, flood] of this.#floods)
      if (now - flood.last >= QUIET) {
        this.#floods.delete(key);
        this.#tell(flood);
      }
  }

  #refuse(address: string, reason: RefusalReason): void {
    const now = this.#clock.monotonic();
    const key = `${reason} ${address}`;
    const known = this.#floods.get(key) ?? (this.#floods.size >= MAX_FLOODS ? this.#floods.get(reason) : undefined);
    if (known !== undefined) {
      known.count++;
      known.last = now;
      return;
    }
    const isOneTooMany = this.#floods.size >= MAX_FLOODS;
    const flood: Flood = { address: isOneTooMany ? '' : address, reason, count: 0, last: now };
    this.#floods.set(isOneTooMany ? reason : key, flood);
    this.#onRefused(flood.address, reason, 1);
  }

  #tell({ address, reason, count }: Flood): void {
    if (count > 0) this.#onRefused(address, reason, count);
  }
}
