import type { Command, CommandRequest } from '../model';
import type { JudgedRequest } from './requests';

const REASON = 'It is stored and waits for its turn.';

/** The command that a request asks for, in its first state. */
export function newCommand(
  request: CommandRequest,
  { definition, parameters, payload, expected, deadline }: JudgedRequest,
  { id, sequence, now }: { readonly id: string; readonly sequence: number; readonly now: number },
): Command {
  return {
    id,
    sequence,
    devEui: request.devEui,
    name: request.name,
    parameters,
    user: request.user,
    source: request.source,
    fPort: definition.fPort,
    confirmed: definition.confirmed,
    payload,
    coalescing: definition.coalescing,
    deadline,
    ...(expected === undefined ? {} : { expected }),
    state: 'Queued',
    reason: REASON,
    createdAt: now,
    changedAt: now,
    age: 0,
    transitions: [{ state: 'Queued', time: now, reason: REASON }],
    attempts: 0,
    call: 'none',
  };
}
