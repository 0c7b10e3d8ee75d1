/** Which entries are wanted: one level for all modules and others for some (`info,opcua=debug`). */
import { LOG_LEVELS, LOG_MODULES, type LogLevel, type LogModule, type LogSink } from '../model';

export interface LogLevels {
  readonly standard: LogLevel;
  readonly modules: ReadonlyMap<LogModule, LogLevel>;
}

const RANK: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3, trace: 4 };

const isLevel = (word: string): word is LogLevel => (LOG_LEVELS as readonly string[]).includes(word);
const isModule = (word: string): word is LogModule => (LOG_MODULES as readonly string[]).includes(word);

/** Reads `LOG_LEVEL`. Returns the rule that it breaks, as text, if it breaks one. */
export function parseLogLevels(text: string): LogLevels | { readonly rule: string } {
  let standard: LogLevel = 'info';
  const modules = new Map<LogModule, LogLevel>();
  for (const part of text.split(',').map((word) => word.trim().toLowerCase())) {
    if (part === '') continue;
    const [module, level, ...rest] = part.split('=').map((word) => word.trim());
    if (rest.length > 0 || module === undefined) return { rule: `"${part}" must be a level or module=level` };
    if (level === undefined) {
      if (!isLevel(module)) return { rule: `"${module}" is not a level: use ${LOG_LEVELS.join(', ')}` };
      standard = module;
    } else {
      if (!isModule(module)) return { rule: `"${module}" is not a module: use ${LOG_MODULES.join(', ')}` };
      if (!isLevel(level)) return { rule: `"${level}" is not a level: use ${LOG_LEVELS.join(', ')}` };
      modules.set(module, level);
    }
  }
  return { standard, modules };
}

/** Whether an entry of that level is wanted from that module. */
export function isWanted(levels: LogLevels, level: LogLevel, module: LogModule): boolean {
  return RANK[level] <= RANK[levels.modules.get(module) ?? levels.standard];
}

/** The most talkative level that any module asks for: less than that need not even be made. */
export function mostTalkative(levels: LogLevels): LogLevel {
  return [levels.standard, ...levels.modules.values()].reduce((a, b) => (RANK[a] >= RANK[b] ? a : b));
}

/** Passes on what is wanted. */
export function filterLevels(levels: LogLevels, sink: LogSink): LogSink {
  return (level, module, entry) => {
    if (isWanted(levels, level, module)) sink(level, module, entry);
  };
}
