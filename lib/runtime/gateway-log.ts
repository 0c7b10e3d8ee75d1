/** The log of the standalone gateway: console, and files if wanted, in one format, with repetitions collapsed. */
import type { Clock, LogSink } from '../model';
import { collapseRepeats } from './collapse-repeats';
import type { LogFormat } from './environment';
import { DEFAULT_LOG_FILES, RotatedLog } from './log-files';
import { formatterOf } from './log-format';
import { filterLevels, type LogLevels } from './log-levels';

export interface GatewayLogSettings {
  readonly levels: LogLevels;
  readonly format: LogFormat;
  /** Where rotated files go; `undefined` for none. */
  readonly folder: string | undefined;
}

export interface GatewayLog {
  readonly sink: LogSink;
  /** Reports open counts and writes the rest to the files, at once. Idempotent. */
  finish(): void;
}

/** @param writeLine writes one line to the console */
export function openGatewayLog(
  settings: GatewayLogSettings,
  clock: Clock,
  writeLine: (line: string) => void,
): GatewayLog {
  const format = formatterOf(settings.format);
  const files =
    settings.folder === undefined
      ? undefined
      : new RotatedLog({ ...DEFAULT_LOG_FILES, folder: settings.folder }, (reason) =>
          // Straight to the console: through the sink it would go to the very files that fail.
          writeLine(
            format(clock.now(), 'error', 'runtime', {
              operation: 'store',
              event: 'failed',
              message: `the log files cannot be written (${reason})`,
              cure: 'Free space on the disk, or correct LOG_FOLDER and its permissions.',
              ...(settings.folder === undefined ? {} : { file: settings.folder }),
            }),
          ),
        );
  const collapsing = collapseRepeats((level, module, entry) => {
    const line = format(clock.now(), level, module, entry);
    writeLine(line);
    files?.write(line);
  }, clock);
  return {
    sink: filterLevels(settings.levels, collapsing.sink),
    finish: () => {
      collapsing.close();
      files?.flushAtExit();
    },
  };
}
