/** Who may do what: roles are the well-known ones of OPC UA Part 3 §4.9.2. */

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
