import { createLogger, type LogEntry, type Logger, type LogLevel, type LogModule } from '../../lib/model';

export interface CapturedEntry extends LogEntry {
  readonly level: LogLevel;
  readonly module: LogModule;
}

/** A logger that keeps its entries for a test to look at. */
export function capturedLogger(module: LogModule = 'runtime'): { logger: Logger; entries: CapturedEntry[] } {
  const entries: CapturedEntry[] = [];
  return {
    logger: createLogger(module, (level, name, entry) => entries.push({ ...entry, level, module: name })),
    entries,
  };
}
