/** Users of the OPC UA server, as settings name them. */
import { type FaultCollector, parseUserName, REDACTED, ROLES, type Role } from '../../model';

export interface ServerUser {
  readonly name: string;
  /**
   * Clear text, or a scrypt hash as `hashPassword` makes it. Without one the user logs in with a certificate whose
   * common name is the user's name.
   */
  readonly password?: string;
  /** Observer alone, if none are given. */
  readonly roles: readonly Role[];
}

export function parseUsers(raw: unknown, field: string, faults: FaultCollector): readonly ServerUser[] {
  if (raw === undefined) return [];
  const users = new Map<string, ServerUser>();
  const items: readonly unknown[] = Array.isArray(raw) ? raw : [undefined];
  items.forEach((item, index) => {
    const at = `${field}[${index}]`;
    const {
      name: given,
      password,
      roles,
    }: { name?: unknown; password?: unknown; roles?: unknown } = typeof item === 'object' && item !== null ? item : {};
    const parsedRoles = parseRoles(roles, `${at}.roles`, faults);
    const name = faults.attempt(() => parseUserName(given, `${at}.name`));
    if (name === undefined) return;
    if (password !== undefined && (typeof password !== 'string' || password === ''))
      // Whatever was given instead of a password may be one.
      faults.add(
        `${at}.password`,
        REDACTED,
        'a password is a text that is not empty',
        `Set one for ${name}, or leave it out if ${name} logs in with a certificate.`,
      );
    else if (users.has(name)) faults.add(`${at}.name`, name, 'a user name is used once', 'Remove one of the two.');
    else users.set(name, { name, ...(password === undefined ? {} : { password }), roles: parsedRoles });
  });
  return [...users.values()];
}

/** An array of names, or names separated by commas. */
function parseRoles(raw: unknown, field: string, faults: FaultCollector): readonly Role[] {
  const items: readonly unknown[] =
    raw === undefined || raw === null
      ? []
      : typeof raw === 'string'
        ? raw.split(',')
        : Array.isArray(raw)
          ? raw
          : [raw];
  const roles = new Set<Role>();
  for (const item of items) {
    const text = typeof item === 'string' ? item.trim().toLowerCase() : item;
    if (text === '') continue;
    const role = ROLES.find((name) => name.toLowerCase() === text);
    if (role === undefined)
      faults.add(field, item, `a role is one of ${ROLES.join(', ')}`, 'Leave it empty for an Observer.');
    else roles.add(role);
  }
  return roles.size === 0 ? ['Observer'] : ROLES.filter((role) => roles.has(role));
}
