/** Commands as text in the store, and back. */
import { z } from 'zod';
import { COALESCINGS, COMMAND_STATES, type Command, type JsonObject, parseDevEui, parseMetricKey } from '../model';
import type { CommandRecord } from './doors';

// JSON has no integers beyond ±2^53.
const BIGINT = '$bigint';

function replacer(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { [BIGINT]: String(value) } : value;
}

const bigint = z
  .strictObject({ [BIGINT]: z.string().regex(/^-?\d{1,20}$/) })
  .transform((value) => BigInt(value[BIGINT]));
const plain = z.union([z.number(), z.boolean(), z.string()]);
const value = z.union([plain, bigint]);
const state = z.enum(COMMAND_STATES);
const jsonObject = z.record(z.string(), z.unknown()).transform((object) => object as JsonObject);

const body = z.object({
  id: z.string(),
  sequence: z.number(),
  devEui: z.string().transform((text) => parseDevEui(text)),
  name: z.string(),
  parameters: z.record(z.string(), value),
  user: z.string(),
  source: z.string(),
  fPort: z.number(),
  confirmed: z.boolean(),
  payload: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('bytes'), hex: z.string() }),
    z.object({ kind: z.literal('object'), object: jsonObject }),
  ]),
  coalescing: z.enum(COALESCINGS),
  deadline: z.number(),
  expected: z
    .object({
      metric: z.string().transform((text) => parseMetricKey(text)),
      value: plain,
      tolerance: z.number(),
      within: z.number(),
    })
    .optional(),
  state,
  reason: z.string(),
  createdAt: z.number(),
  changedAt: z.number(),
  age: z.number(),
  endedAt: z.number().optional(),
  transitions: z.array(z.object({ state, time: z.number(), reason: z.string() })),
  attempts: z.number(),
  call: z.enum(['none', 'open', 'unsent', 'unclear', 'accepted', 'refused']),
  expiry: z.number().optional(),
  queueItemId: z.string().optional(),
  fCntDown: z.number().optional(),
  transmittedAt: z.number().optional(),
  observed: value.optional(),
  failure: z.enum(['discarded', 'unacknowledged', 'not-verified']).optional(),
  cancelledBy: z.string().optional(),
  flushedBy: z.string().optional(),
});

/** @param command with `age` as it is now */
export function toRecord(command: Command): CommandRecord {
  return {
    kind: 'command',
    id: command.id,
    devEui: command.devEui,
    state: command.state,
    createdAt: command.createdAt,
    changedAt: command.changedAt,
    endedAt: command.endedAt,
    body: JSON.stringify(command, replacer),
  };
}

/** `undefined` if it cannot be read: one bad row must not stop the others. */
export function fromRecord(text: string): Command | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = body.safeParse(json);
  // The schema leaves out what is absent, so that absent and undefined are the same here.
  return parsed.success ? (withoutUndefined(parsed.data) as Command) : undefined;
}

function withoutUndefined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, inner]) => inner !== undefined));
}
