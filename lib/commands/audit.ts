/** Entries of the audit journal: who sent, cancelled, flushed what. */
import type { Command, DevEui, NewJournalEntry } from '../model';

export function auditEntry(
  type: 'command.send' | 'command.cancel' | 'command.flush',
  { devEui }: { readonly devEui: DevEui },
  time: number,
  user: string,
  body: object,
): NewJournalEntry {
  return {
    journal: 'audit',
    time,
    type,
    devEui,
    user: user === '' ? undefined : user,
    eventId: undefined,
    body: JSON.stringify(body, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  };
}

export function sendEntry(command: Command): NewJournalEntry {
  const { id, name, source, parameters, createdAt, user } = command;
  return auditEntry('command.send', command, createdAt, user, { id, name, source, parameters });
}
