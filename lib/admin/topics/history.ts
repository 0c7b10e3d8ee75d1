/** What was: `history`, and the journals of events and audit. */
import type { Acts } from '../acts';
import type { AdministrationDependencies } from '../dependencies';
import {
  atTimePayload,
  modifiedPayload,
  processedPayload,
  rawPayload,
  readAtTime,
  readModified,
  readProcessed,
  readRaw,
} from '../history-queries';
import { auditPayload, eventsPayload, listEntries } from '../journals';
import { question, type UseCases } from '../use-cases';

export function historyTopics({ store, clock }: AdministrationDependencies, acts: Acts, signal: AbortSignal): UseCases {
  const now = (): number => clock.now();
  return [
    question('history.raw', rawPayload, (payload) => readRaw(store, now(), payload, signal)),
    question('history.modified', modifiedPayload, (payload) => readModified(store, now(), payload, signal)),
    question('history.atTime', atTimePayload, (payload) => readAtTime(store, now(), payload, signal)),
    question('history.processed', processedPayload, (payload) => readProcessed(store, now(), payload, signal)),
    question('events.list', eventsPayload, (payload) => listEntries(store, 'event', now(), payload)),
    acts.restrictedQuestion('audit.list', auditPayload, (payload) => listEntries(store, 'audit', now(), payload)),
  ];
}
