/** The database, and files made from it: `database`, `backups`, `exports`. */
import type { Acts } from '../acts';
import { backupDatabase, backupPayload, databasePayload, databaseState } from '../database';
import type { AdministrationDependencies } from '../dependencies';
import { exportHistory, exportPayload, type WrittenFile } from '../history-export';
import { filesPayload, OutputFolder } from '../output-files';
import { question, type UseCases } from '../use-cases';

export function fileTopics(deps: AdministrationDependencies, acts: Acts, signal: AbortSignal): UseCases {
  const { store, clock, folders } = deps;
  const exports = new OutputFolder(folders.exports);
  const backups = new OutputFolder(folders.backups);
  return [
    acts.useCase({
      ...WRITING,
      topic: 'history.export',
      schema: exportPayload,
      run: (payload) => exportHistory(store, exports, clock.now(), payload, signal),
    }),
    listing('exports.list', exports),
    question('database.get', databasePayload, () => databaseState(deps)),
    acts.useCase({
      ...WRITING,
      topic: 'database.backup',
      schema: backupPayload,
      run: (payload) => backupDatabase(store, backups, clock.now(), payload, signal),
    }),
    listing('backups.list', backups),
  ];
}

/** What acts that write a file have in common. */
const WRITING = {
  about: ['file'],
  operation: 'store' as const,
  isExclusive: true,
  details: ({ path: _path, complete: _complete, ...details }: WrittenFile) => details,
  file: ({ path }: WrittenFile) => path,
};

function listing(topic: string, folder: OutputFolder): UseCases[number] {
  return question(topic, filesPayload, async ({ offset, limit }) => {
    const files = await folder.list();
    return { rows: files.slice(offset, offset + limit), total: files.length, offset };
  });
}
