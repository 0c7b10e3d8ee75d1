/** What was: `history`, and the journals of events and audit. */
import type { Acts } from '../acts';
import type { AdministrationDependencies } from '../dependencies';
import {
  atTimePayload,
  type CourseOf,
  modifiedPayload,
  processedPayload,
  rawPayload,
  readAtTime,
  readModified,
  readProcessed,
  readRaw,
} from '../history-queries';
import { auditPayload, eventsPayload, listEntries } from '../journals';
import { courseOf } from '../meanings';
import { question, type UseCases } from '../use-cases';

export function historyTopics(deps: AdministrationDependencies, acts: Acts, signal: AbortSignal): UseCases {
  const { store, clock } = deps;
  const now = (): number => clock.now();
  const course: CourseOf = (devEui, metric) => courseOf(deps, devEui, metric);
  return [
    question('history.raw', rawPayload, (payload) => readRaw(store, now(), payload, signal)),
    question('history.modified', modifiedPayload, (payload) => readModified(store, now(), payload, signal)),
    question('history.atTime', atTimePayload, (payload) => readAtTime(store, now(), payload, signal, course)),
    question('history.processed', processedPayload, (payload) => readProcessed(store, now(), payload, signal, course)),
    question('events.list', eventsPayload, (payload) => listEntries(store, 'event', now(), payload)),
    acts.restrictedQuestion('audit.list', auditPayload, (payload) => listEntries(store, 'audit', now(), payload)),
  ];
}
