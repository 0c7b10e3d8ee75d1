/**
 * Who may have a session when sessions are scarce. Only sessions that have logged in take a place: whoever merely
 * creates them is no more than a queue, of which the oldest has to go (Part 4 §5.7.2). Some places are kept for
 * administrators, and sessions that have lost their connection give way.
 */
import type { Clock } from '../../model';
import type { LiveView } from '../live-settings';

/** A session, as far as it matters here. */
export interface PlacedSession {
  readonly status: string;
  readonly creationDate: Date;
  /** One that was cut may stay here, closed. */
  readonly channel?: { readonly remoteAddress: string; readonly isOpened: boolean } | undefined;
}

export interface SessionPlacesOptions<Session extends PlacedSession> {
  readonly clock: Clock;
  /** How many sessions may have logged in. Nobody is sent away when that becomes less. */
  readonly settings: LiveView<'maxSessions' | 'reservedForAdministrators'>;
  readonly sessions: () => readonly Session[];
  readonly end: (session: Session) => void;
}

/** Sessions that have been created and not activated. */
export const PENDING_SESSIONS = 16;
/** ms that a session is kept for a client that has lost its connection, while others want its place. */
const TIME_TO_RETURN = 10_000;
/** ms until a session must be activated. */
const TIME_TO_ACTIVATE = 60_000;
const SWEEP = 5_000;

export class SessionPlaces<Session extends PlacedSession> {
  readonly #options: SessionPlacesOptions<Session>;
  /** Since when sessions are seen without channel. */
  readonly #detached = new Map<Session, number>();
  readonly #pending = new Map<Session, number>();
  readonly #timer: { cancel(): void };

  constructor(options: SessionPlacesOptions<Session>) {
    this.#options = options;
    this.#timer = options.clock.every(SWEEP, () => this.#sweep());
  }

  /** Whether one more session may be created; makes room among those that have not logged in. */
  mayCreate(): boolean {
    this.#look();
    const { maxSessions, reservedForAdministrators } = this.#options.settings.current;
    if (this.#active().length >= maxSessions + reservedForAdministrators && !this.#endDetached(TIME_TO_RETURN))
      return false;
    const pending = this.#options.sessions().filter(({ status }) => status !== 'active');
    if (pending.length >= PENDING_SESSIONS) {
      const oldest = oldestOfMost(pending);
      if (oldest !== undefined) this.#options.end(oldest);
    }
    return true;
  }

  /** Whether a session may log in; one that has a place already keeps it. */
  mayActivate(session: Session, isAdministrator: boolean): boolean {
    if (session.status === 'active') return true;
    this.#look();
    const { maxSessions, reservedForAdministrators } = this.#options.settings.current;
    if (this.#active().length < maxSessions || this.#endDetached(TIME_TO_RETURN)) return true;
    if (!isAdministrator) return false;
    return this.#active().length < maxSessions + reservedForAdministrators || this.#endDetached(0);
  }

  close(): void {
    this.#timer.cancel();
    this.#detached.clear();
    this.#pending.clear();
  }

  #active(): Session[] {
    return this.#options.sessions().filter(({ status }) => status === 'active');
  }

  #sweep(): void {
    this.#look();
    const now = this.#options.clock.monotonic();
    for (const [session, since] of this.#pending) if (now - since >= TIME_TO_ACTIVATE) this.#options.end(session);
  }

  #look(): void {
    const now = this.#options.clock.monotonic();
    const sessions = new Set(this.#options.sessions());
    for (const map of [this.#detached, this.#pending])
      for (const session of map.keys()) if (!sessions.has(session)) map.delete(session);
    for (const session of sessions) {
      keep(this.#detached, session, session.channel?.isOpened !== true, now);
      keep(this.#pending, session, session.status !== 'active', now);
    }
  }

  /** @returns whether a session had lost its connection at least `age` ms ago, and is ended */
  #endDetached(age: number): boolean {
    const now = this.#options.clock.monotonic();
    // In the order in which they lost it.
    for (const [session, since] of this.#detached)
      if (session.status === 'active' && now - since >= age) {
        this.#detached.delete(session);
        this.#options.end(session);
        return true;
      }
    return false;
  }
}

function keep<Session>(map: Map<Session, number>, session: Session, holds: boolean, now: number): void {
  if (!holds) map.delete(session);
  else if (!map.has(session)) map.set(session, now);
}

/** The oldest session of the address that has most of them. */
function oldestOfMost<Session extends PlacedSession>(sessions: readonly Session[]): Session | undefined {
  const byAddress = new Map<string, Session[]>();
  for (const session of sessions) {
    const address = session.channel?.remoteAddress ?? '';
    byAddress.set(address, [...(byAddress.get(address) ?? []), session]);
  }
  const most = [...byAddress.values()].reduce<Session[]>((a, b) => (b.length > a.length ? b : a), []);
  return most.reduce<Session | undefined>(
    (oldest, session) => (oldest !== undefined && oldest.creationDate <= session.creationDate ? oldest : session),
    undefined,
  );
}
