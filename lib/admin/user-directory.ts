/** Users that the gateway keeps, besides the one of the settings: durable, and known to whoever lets users in. */
import { z } from 'zod';
import {
  type Clock,
  display,
  Emitter,
  errorText,
  hashPassword,
  InvalidInputError,
  isPasswordHash,
  type Logger,
  parseUserName,
  REDACTED,
  ROLES,
  type Role,
  type Timer,
  type Unsubscribe,
  type UserAccount,
} from '../model';
import { parsedField } from './payload';

/** One account as the store keeps it. */
interface AccountRecord {
  readonly kind: 'user';
  /** Name of the user. */
  readonly id: string;
  readonly devEui: undefined;
  readonly state: string;
  /** ms UTC. */
  readonly createdAt: number;
  readonly changedAt: number;
  readonly endedAt: undefined;
  /** JSON */
  readonly body: string;
}

export interface AccountStore {
  /** @throws an error with a `cure` where the storage has a fault */
  readRecords(query: {
    readonly kind: 'user';
    readonly limit: number;
  }): Promise<readonly { readonly id: string; readonly createdAt: number; readonly body: string }[]>;
  /** Durable when it resolves. @throws as above */
  commit(batch: {
    readonly records: readonly AccountRecord[];
    readonly removed: readonly { readonly kind: 'user'; readonly id: string }[];
    readonly journal: readonly never[];
  }): Promise<void>;
}

export interface UserDirectoryDependencies {
  readonly store: AccountStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is to be true of an account. */
export interface AccountChange {
  readonly name: string;
  /** Absent = as it is; `null` = none, the user logs in with a certificate. */
  readonly password?: string | null | undefined;
  readonly roles: readonly Role[];
  /** Absent = as it is; a new one is not. */
  readonly isDisabled?: boolean | undefined;
}

export const MOST_USERS = 1_000;
export const SHORTEST_PASSWORD = 8;
export const LONGEST_PASSWORD = 256;
/** ms between two tries to read what the storage does not give. */
const RETRY_INTERVAL = 10_000;

const bodySchema = z.object({
  passwordHash: z.string().refine(isPasswordHash).optional(),
  roles: z.array(z.enum(ROLES)).min(1),
  isDisabled: z.boolean(),
});
const nameSchema = parsedField((name) => parseUserName(name));

interface Kept {
  readonly account: UserAccount;
  readonly createdAt: number;
}

export class UserDirectory {
  readonly #deps: UserDirectoryDependencies;
  readonly #changes: Emitter<void>;
  #accounts: ReadonlyMap<string, Kept> = new Map();
  /** One act after the other: each begins with what the one before has left. */
  #last: Promise<unknown> = Promise.resolve();
  #isLoaded = false;
  #retry: Timer | undefined;
  #closed = false;
  #settle: () => void = () => undefined;
  /** Settled when the accounts are known: not as long as the storage does not give them. Never rejects. */
  readonly opened: Promise<void>;

  constructor(deps: UserDirectoryDependencies) {
    this.#deps = deps;
    this.#changes = new Emitter((error) =>
      deps.logger.error({ operation: 'publish', event: 'failed', reason: 'internal', message: errorText(error) }),
    );
    this.opened = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Loads what the store has; call it when the store is open. What it does not give is asked for again. Never rejects. */
  async open(): Promise<void> {
    this.#retry = undefined;
    try {
      await this.#inTurn(() => this.#load());
    } catch (error) {
      this.#later();
      this.#deps.logger.warn({
        operation: 'restore',
        event: 'retrying',
        message: `the users of the gateway cannot be read, and cannot log in until then: ${errorText(error)}`,
      });
    }
  }

  /** All of them, also those who are not let in. */
  accounts(): readonly UserAccount[] {
    return Array.from(this.#accounts.values(), ({ account }) => account);
  }

  find(name: string): UserAccount | undefined {
    return this.#accounts.get(name)?.account;
  }

  /** Told after each change. */
  onChange(listener: () => void): Unsubscribe {
    return this.#changes.on(listener);
  }

  /**
   * Makes an account or changes it, durably; who listens knows when it resolves.
   * @throws InvalidInputError, or an error of the storage: then nothing has changed, unless the storage finds out later
   *   that it had done it
   */
  async save(change: AccountChange): Promise<UserAccount> {
    checkChange(change);
    return this.#inTurn(async () => {
      await this.#load();
      const { name, password, roles, isDisabled } = change;
      const before = this.#accounts.get(name);
      if (before === undefined && this.#accounts.size >= MOST_USERS) throw tooMany(name);
      // In turn, so that many at once take one core and not all.
      const passwordHash =
        typeof password === 'string'
          ? await hashPassword(password)
          : password === null
            ? undefined
            : before?.account.passwordHash;
      const account: UserAccount = {
        name,
        ...(passwordHash === undefined ? {} : { passwordHash }),
        roles: ROLES.filter((role) => roles.includes(role)),
        isDisabled: isDisabled ?? before?.account.isDisabled ?? false,
      };
      const now = this.#deps.clock.now();
      const createdAt = before?.createdAt ?? now;
      const { name: _, ...body } = account;
      await this.#commit({
        records: [
          {
            kind: 'user',
            id: name,
            devEui: undefined,
            state: account.isDisabled ? 'disabled' : 'enabled',
            createdAt,
            changedAt: now,
            endedAt: undefined,
            body: JSON.stringify(body),
          },
        ],
        removed: [],
      });
      this.#replace(new Map([...this.#accounts, [name, { account, createdAt }]]));
      return account;
    });
  }

  /** @throws as {@link save} */
  remove(name: string): Promise<UserAccount> {
    return this.#inTurn(async () => {
      await this.#load();
      const found = this.#accounts.get(name);
      if (found === undefined)
        throw new InvalidInputError([
          {
            field: 'name',
            value: display(name),
            rule: 'it is a user that the gateway keeps',
            cure: 'Ask users.list; upper and lower case differ.',
          },
        ]);
      await this.#commit({ records: [], removed: [{ kind: 'user', id: name }] });
      const left = new Map(this.#accounts);
      left.delete(name);
      this.#replace(left);
      return found.account;
    });
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  async #load(): Promise<void> {
    if (this.#isLoaded) return;
    const records = await this.#deps.store.readRecords({ kind: 'user', limit: MOST_USERS });
    const accounts = new Map<string, Kept>();
    for (const { id, createdAt, body } of records) {
      const account = accountOf(id, body);
      if (account !== undefined) accounts.set(id, { account, createdAt });
      else
        this.#deps.logger.error({
          operation: 'restore',
          event: 'ignored',
          reason: 'corrupt',
          message: 'a user of the database cannot be read and is not let in',
          user: id.slice(0, 64),
          cure: 'Save the user again.',
        });
    }
    this.#isLoaded = true;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#replace(accounts);
    this.#settle();
  }

  async #commit(batch: Omit<Parameters<AccountStore['commit']>[0], 'journal'>): Promise<void> {
    try {
      await this.#deps.store.commit({ ...batch, journal: [] });
    } catch (error) {
      // A storage that hangs may have done it all the same: what it has is looked at again.
      this.#isLoaded = false;
      this.#later();
      throw error;
    }
  }

  #later(): void {
    if (this.#closed) return;
    this.#retry ??= this.#deps.clock.after(RETRY_INTERVAL, () => void this.open());
  }

  #replace(accounts: ReadonlyMap<string, Kept>): void {
    this.#accounts = accounts;
    this.#changes.emit();
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function accountOf(id: string, body: string): UserAccount | undefined {
  const name = nameSchema.safeParse(id);
  const parsed = bodySchema.safeParse(jsonOf(body));
  if (!name.success || !parsed.success) return undefined;
  const { passwordHash, roles, isDisabled } = parsed.data;
  return { name: name.data, ...(passwordHash === undefined ? {} : { passwordHash }), roles, isDisabled };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws InvalidInputError */
function checkChange({ name, password, roles }: AccountChange): void {
  parseUserName(name);
  if (typeof password === 'string' && (password.length < SHORTEST_PASSWORD || password.length > LONGEST_PASSWORD))
    throw new InvalidInputError([
      {
        field: 'password',
        value: REDACTED,
        rule: `a password has ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} characters`,
        cure: 'Choose a longer one, or leave it out to keep the one before.',
      },
    ]);
  if (roles.length === 0)
    throw new InvalidInputError([
      { field: 'roles', value: '[]', rule: 'a user has at least one role', cure: `Use some of ${ROLES.join(', ')}.` },
    ]);
}

function tooMany(name: string): InvalidInputError {
  return new InvalidInputError([
    {
      field: 'name',
      value: display(name),
      rule: `the gateway keeps up to ${MOST_USERS} users`,
      cure: 'Remove users that nobody needs.',
    },
  ]);
}
