/** Who may log in: the users of the settings, and the accounts that the gateway keeps, as they are at this moment. */
import { Emitter, isPasswordHash, type Unsubscribe, type UserAccount } from '../../model';
import type { ServerUser } from './users';

/** Where accounts are kept. Attach it once it has loaded what it knows. */
export interface UserSource {
  /** All accounts, also disabled ones. */
  accounts(): readonly UserAccount[];
  /** Told after each change. */
  onChange(listener: () => void): Unsubscribe;
}

export class Accounts {
  readonly #fixed: ReadonlyMap<string, ServerUser>;
  readonly #lessened: Emitter<ReadonlySet<string>>;
  #users: ReadonlyMap<string, ServerUser>;
  #detach: Unsubscribe | undefined;
  #revision = 0;

  /** @param fixed users of the settings: an account of the same name does not count */
  constructor(fixed: readonly ServerUser[], onError: (error: unknown) => void) {
    this.#fixed = new Map(fixed.map((user) => [user.name, user]));
    this.#users = this.#fixed;
    this.#lessened = new Emitter(onError);
  }

  /**
   * Takes accounts from a source, in place of the one before, and follows its changes until the returned function is
   * called. What was known stays after that, so that nobody is thrown out while another source is on its way.
   */
  attach(source: UserSource): Unsubscribe {
    this.#detach?.();
    const stop = source.onChange(() => this.#take(source));
    const detach = (): void => {
      stop();
      if (this.#detach === detach) this.#detach = undefined;
    };
    this.#detach = detach;
    this.#take(source);
    return detach;
  }

  /** Somebody who may log in now; `undefined` for unknown and disabled ones. */
  find(name: string): ServerUser | undefined {
    return this.#users.get(name);
  }

  get size(): number {
    return this.#users.size;
  }

  /** Grows with each change. */
  get revision(): number {
    return this.#revision;
  }

  /** Told the names of those who may do less than before: gone, disabled, another password, or a role less. */
  onLessened(listener: (names: ReadonlySet<string>) => void): Unsubscribe {
    return this.#lessened.on(listener);
  }

  close(): void {
    this.#detach?.();
  }

  #take(source: UserSource): void {
    const before = this.#users;
    const users = new Map<string, ServerUser>();
    // What is no hash would be taken for a password in clear text.
    for (const { name, passwordHash: password, roles, isDisabled } of source.accounts())
      if (!isDisabled)
        users.set(name, { name, roles, ...(password !== undefined && isPasswordHash(password) ? { password } : {}) });
    for (const [name, user] of this.#fixed) users.set(name, user);
    this.#users = users;
    this.#revision++;
    const names = new Set(
      [...before.values()].filter((user) => isLess(user, users.get(user.name))).map(({ name }) => name),
    );
    if (names.size > 0) this.#lessened.emit(names);
  }
}

function isLess(before: ServerUser, now: ServerUser | undefined): boolean {
  return (
    now === undefined || now.password !== before.password || before.roles.some((role) => !now.roles.includes(role))
  );
}
