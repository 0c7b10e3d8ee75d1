/** Who may do what: roles are the well-known ones of OPC UA Part 3 §4.9.2. */
import { display, InvalidInputError } from './faults';

export const ROLES = ['Observer', 'Operator', 'Engineer', 'SecurityAdmin'] as const;
export type Role = (typeof ROLES)[number];

/** Somebody who may log in, as the gateway keeps it. */
export interface UserAccount {
  /** 1 to 256 characters; never `anonymous`. */
  readonly name: string;
  /** As `hashPassword` makes it. Without one the user logs in with a certificate whose common name is the name. */
  readonly passwordHash?: string;
  /** At least one. */
  readonly roles: readonly Role[];
  /** Kept, but not let in. */
  readonly isDisabled: boolean;
}

const LONGEST_NAME = 256;
/** What a client without login is called; nobody else may be. */
const ANONYMOUS = /^anonymous$/i;

/** @throws InvalidInputError */
export function parseUserName(name: unknown, field = 'name'): string {
  const refuse = (rule: string, cure: string): never => {
    throw new InvalidInputError([{ field, value: display(name), rule, cure }]);
  };
  if (typeof name !== 'string' || name.trim() === '' || name.length > LONGEST_NAME)
    return refuse(`a user has a name of 1 to ${LONGEST_NAME} characters`, 'Give it a name.');
  if (ANONYMOUS.test(name)) return refuse('it means a client without login', 'Choose another name.');
  return name;
}
