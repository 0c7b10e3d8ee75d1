/** Who may log in to the OPC UA server: `users`. */
import { z } from 'zod';
import { display, InvalidInputError, parseUserName, ROLES, type Role, type UserAccount } from '../../model';
import { type Acts, ADMINISTRATORS } from '../acts';
import { parsedField, payloadFaults } from '../payload';
import type { SettingsUser } from '../server-doors';
import type { UseCases } from '../use-cases';
import { LONGEST_PASSWORD, SHORTEST_PASSWORD, type UserDirectory } from '../user-directory';

const PASSWORD_RULE = `a password has ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} characters, and null means none`;

const nameField = parsedField((value) => parseUserName(value));
const savePayload = z.strictObject({
  name: nameField,
  password: z
    .string(PASSWORD_RULE)
    .min(SHORTEST_PASSWORD, PASSWORD_RULE)
    .max(LONGEST_PASSWORD, PASSWORD_RULE)
    .nullable()
    .optional(),
  roles: z.array(z.enum(ROLES)).min(1, 'a user has at least one role').max(ROLES.length),
  isDisabled: z.boolean().optional(),
});
const removePayload = z.strictObject({ name: nameField });

export interface UserRow {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly isDisabled: boolean;
  /** Without one, a user logs in with a certificate. */
  readonly hasPassword: boolean;
  /** The user of the OPC UA server's settings, who is changed there. */
  readonly isAdministrator: boolean;
}

export function userTopics(users: UserDirectory, administrators: () => readonly SettingsUser[], acts: Acts): UseCases {
  const checkName = (name: string): void => {
    if (!administrators().some((user) => user.name === name)) return;
    throw new InvalidInputError([
      {
        field: 'payload.name',
        value: display(name),
        rule: 'the user of the OPC UA server’s settings is not changed here',
        cure: 'Change name and password in the opcua-gateway-server node, or in the environment of the gateway.',
      },
    ]);
  };
  return [
    acts.restrictedQuestion('users.list', z.strictObject({}), () => ({ rows: rowsOf(users, administrators()) })),
    acts.useCase({
      topic: 'users.save',
      schema: savePayload,
      secrets: ['password'],
      about: ['name', 'roles', 'isDisabled'],
      operation: 'authenticate',
      roles: ADMINISTRATORS,
      run: (payload) => {
        checkName(payload.name);
        return payloadFaults(async () => rowOf(await users.save(payload)));
      },
      details: ({ isAdministrator: _, ...row }, { password }) => ({
        ...row,
        isPasswordChanged: password !== undefined,
      }),
    }),
    acts.useCase({
      topic: 'users.remove',
      schema: removePayload,
      about: ['name'],
      operation: 'authenticate',
      roles: ADMINISTRATORS,
      run: ({ name }) => {
        // An account that came before the user of the settings can be removed.
        if (users.find(name) === undefined) checkName(name);
        return payloadFaults(async () => rowOf(await users.remove(name)));
      },
      details: ({ name, roles }) => ({ name, roles }),
    }),
  ];
}

/** Those of the settings first, then by name. */
function rowsOf(users: UserDirectory, administrators: readonly SettingsUser[]): readonly UserRow[] {
  const fixed = new Set(administrators.map(({ name }) => name));
  return [
    ...administrators.map(
      ({ name, roles, hasPassword }): UserRow => ({
        name,
        roles,
        isDisabled: false,
        hasPassword,
        isAdministrator: true,
      }),
    ),
    ...users
      .accounts()
      .filter(({ name }) => !fixed.has(name))
      .map(rowOf)
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  ];
}

function rowOf({ name, roles, isDisabled, passwordHash }: UserAccount): UserRow {
  return { name, roles, isDisabled, hasPassword: passwordHash !== undefined, isAdministrator: false };
}
