/**
 * Structured logging. The vocabulary is closed: operators build filters and dashboards on it, so a new word is a
 * deliberate change here and in docs/operations.md.
 */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Parts of the gateway whose level can be set by itself (`LOG_LEVEL=info,opcua=debug`). */
export const LOG_MODULES = [
  'chirpstack',
  'store',
  'opcua',
  'commands',
  'quality',
  'alarms',
  'dashboard',
  'simulator',
  'runtime',
  /** Node-RED itself and nodes of other packages */
  'flow',
] as const;
export type LogModule = (typeof LOG_MODULES)[number];

/** What was being done. */
export type LogOperation =
  | 'start'
  | 'stop'
  | 'configure'
  | 'connect'
  | 'call'
  | 'stream'
  | 'decode'
  | 'sync-inventory'
  | 'poll-metrics'
  | 'receive'
  | 'store'
  | 'restore'
  | 'migrate'
  | 'prune'
  | 'read-history'
  | 'publish'
  | 'build-address-space'
  | 'session'
  | 'authenticate'
  | 'certificate'
  | 'judge-quality'
  | 'enqueue'
  | 'simulate'
  | 'login'
  /** whatever Node-RED or a node of another package does */
  | 'run-flow';

/** What happened. */
export type LogEvent =
  | 'started'
  | 'ready'
  | 'stopped'
  | 'succeeded'
  | 'failed'
  | 'refused'
  | 'lost'
  | 'recovered'
  | 'retrying'
  | 'repeated'
  | 'added'
  | 'changed'
  | 'removed'
  | 'duplicate'
  | 'dropped'
  | 'created'
  | 'opened'
  | 'closed'
  | 'ignored'
  | 'kept'
  | 'moved'
  | 'diagnostic';

/** Why, where there is a why. */
export type LogReason =
  | 'unreachable'
  | 'unauthenticated'
  | 'not-permitted'
  | 'not-found'
  | 'bad-certificate'
  | 'timeout'
  | 'bad-answer'
  | 'bad-event'
  | 'bad-message'
  | 'bad-type'
  | 'bad-setting'
  | 'codec-error'
  | 'port-in-use'
  | 'read-only'
  | 'disk-full'
  | 'locked'
  | 'corrupt'
  | 'newer-schema'
  | 'overflow'
  | 'wrong-credentials'
  | 'locked-out'
  | 'untrusted-certificate'
  | 'empty'
  | 'shutdown'
  | 'redeploy'
  | 'internal';

/** One thing that happened. Extra facts go into the named fields, never only into the text. Never a secret. */
export interface LogEntry {
  readonly operation: LogOperation;
  readonly event: LogEvent;
  readonly reason?: LogReason;
  /** For people, in English, one line, without the facts that have a field. */
  readonly message: string;
  /** DevEUI. */
  readonly device?: string;
  readonly application?: string;
  readonly metric?: string;
  /** OPC UA session name, user or remote address, as the entry needs. */
  readonly session?: string;
  readonly user?: string;
  readonly address?: string;
  /** How long it took, ms. */
  readonly duration_ms?: number;
  /** How many things, or how often it was repeated. */
  readonly count?: number;
  /** gRPC, OPC UA or SQLite code, as its source names it. */
  readonly code?: string;
  /** What the user can do about it. */
  readonly cure?: string;
  /** Path of a file concerned. */
  readonly file?: string;
  /** Node-RED id of the node concerned. */
  readonly node?: string;
}

/** A logger of one module. */
export interface Logger {
  error(entry: LogEntry): void;
  warn(entry: LogEntry): void;
  info(entry: LogEntry): void;
  debug(entry: LogEntry): void;
  trace(entry: LogEntry): void;
}

/** Where entries go: Node-RED's log in the palette, console and files in the standalone program, an array in tests. */
export type LogSink = (level: LogLevel, module: LogModule, entry: LogEntry) => void;

/** A logger that gives every entry of a module to a sink. */
export function createLogger(module: LogModule, sink: LogSink): Logger {
  return {
    error: (entry) => sink('error', module, entry),
    warn: (entry) => sink('warn', module, entry),
    info: (entry) => sink('info', module, entry),
    debug: (entry) => sink('debug', module, entry),
    trace: (entry) => sink('trace', module, entry),
  };
}

/** For library users who want silence. */
export const silentLogger: Logger = createLogger('runtime', () => undefined);

/** One line for people: the text, then the facts as key=value. */
export function logText(entry: LogEntry): string {
  const { message, ...facts } = entry;
  const shown = Object.entries(facts).map(([key, value]) => {
    const text = String(value);
    return `${key}=${/[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text}`;
  });
  return [message, ...shown].join(' ');
}
