/** What the form of the node says, as the server takes it. */
import { isAbsolute, join } from 'node:path';
import type { NodeDef } from 'node-red';
import { display, FaultCollector, InvalidInputError, isBlank, ROLES } from '../../lib/model';
import { parseServerSettings, type ServerSettings } from '../../lib/opcua';

/** Limits and values besides these have the names of ServerSettings, and are read by their names. */
export interface Properties extends NodeDef {
  readonly database: string;
  /** Comma-separated, e.g. `Basic256Sha256/SignAndEncrypt`; empty = the secure defaults. */
  readonly endpoints: string;
  /** Relative paths are inside Node-RED's user folder. */
  readonly pkiFolder: string;
  /** Absent in flows that were made before there was one. */
  readonly removedNodesKeptHours?: string;
}

export interface Credentials {
  user?: string;
  password?: string;
}

const HOUR = 3_600_000;
const LONGEST_HOURS = 365 * 24;

/** How the parts of the one user are called in the form. */
const USER_FIELDS: Readonly<Record<string, string>> = { 'users[0].name': 'user', 'users[0].password': 'password' };

/**
 * @param userFolder of Node-RED
 * @throws InvalidInputError with all faults, each by the name of its property
 */
export function readSettings(properties: Properties, credentials: Credentials, userFolder: string): ServerSettings {
  const faults = new FaultCollector();
  const folder = properties.pkiFolder?.trim() || 'pki';
  const { user, password } = credentials;
  const removedNodesKept = faults.attempt(() => hoursOf(properties.removedNodesKeptHours));
  const settings = faults.attempt(() =>
    parseServerSettings({
      ...properties,
      users: user || password ? [{ name: user, password: password ?? '', roles: ROLES }] : [],
      pkiFolder: isAbsolute(folder) ? folder : join(userFolder, folder),
      removedNodesKept,
    }),
  );
  if (settings !== undefined && faults.faults.length === 0) return settings;
  throw new InvalidInputError(
    faults.faults.map((fault) => ({ ...fault, field: USER_FIELDS[fault.field] ?? fault.field })),
  );
}

/** @returns ms; `undefined` for the default @throws InvalidInputError */
function hoursOf(value: unknown): number | undefined {
  if (isBlank(value)) return undefined;
  const hours = /^\s*\d+\s*$/.test(String(value)) ? Number(value) : Number.NaN;
  if (hours <= LONGEST_HOURS) return hours * HOUR;
  throw new InvalidInputError([
    {
      field: 'removedNodesKeptHours',
      value: display(value),
      rule: `it must be a whole number of hours from 0 to ${LONGEST_HOURS}`,
      cure: 'Leave it empty for 24.',
    },
  ]);
}
