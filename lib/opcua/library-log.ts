/**
 * Takes over what node-opcua would print to the console and gives it to our log. Its loggers are global to the
 * process, so this is too: the last server started gets the lines, and when none is left they go nowhere rather than
 * to the console of a program that has a log.
 */
import { formatWithOptions, stripVTControlCharacters } from 'node:util';
import type { Logger } from '../model';
import type { Library } from './library';
import type { RepeatedEntries } from './repeated';

type Write = (level: 'error' | 'warn' | 'debug', text: string) => void;

interface Sink {
  readonly write: Write;
}

const sinks: Sink[] = [];

const MAX_TEXT = 500;
/** What has an entry of its own already, with a cure. */
const TOLD_ELSEWHERE =
  /NODE-OPCUA-W(06|26|27)|security-revert|Sender Certificate|sendError: BadSecurity|default certificate/;

function forward(level: 'error' | 'warn' | 'debug', args: unknown[]): void {
  // The first argument is the place in the library's source.
  const text = stripVTControlCharacters(formatWithOptions({ depth: 1, breakLength: Infinity }, ...args.slice(1)))
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_TEXT);
  if (text !== '') sinks.at(-1)?.write(level, text);
}

/**
 * Starts capturing for one server.
 * @returns ends it; idempotent
 */
export function captureLibraryLog(library: Library, logger: Logger, repeated: RepeatedEntries): () => void {
  library.setErrorLogger((...args: unknown[]) => forward('error', args));
  library.setWarningLogger((...args: unknown[]) => forward('warn', args));
  library.setDebugLogger((...args: unknown[]) => forward('debug', args));
  const sink: Sink = {
    write(level, text) {
      // Numbers make the same complaint look different each time.
      repeated.write(
        `library ${text.replace(/[0-9a-f]{8,}|\d+/gi, '#')}`,
        {
          operation: 'publish',
          event: 'diagnostic',
          reason: 'internal',
          message: `OPC UA library: ${text}`,
        },
        (entry) => (level === 'debug' || TOLD_ELSEWHERE.test(text) ? logger.debug(entry) : logger.warn(entry)),
      );
    },
  };
  sinks.push(sink);
  return () => {
    const index = sinks.indexOf(sink);
    if (index >= 0) sinks.splice(index, 1);
  };
}
