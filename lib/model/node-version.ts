import { InvalidInputError } from './faults';

/** As in package.json's `engines`. */
const OLDEST_NODE = [22, 13] as const;

/**
 * Refuses a Node.js that the database and OPC UA libraries do not run on: the database's would end the process without
 * a word.
 * @param version as in `process.versions.node`
 * @throws InvalidInputError
 */
export function checkNodeVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new InvalidInputError([
    {
      field: 'Node.js',
      value: version,
      rule: `it must be ${OLDEST_NODE.join('.')} or newer`,
      cure: 'Install a newer Node.js; in a checkout, "npm start" brings its own.',
    },
  ]);
}
