/** Turns records of Node-RED's log into entries of ours. */
import { inspect } from 'node:util';
import { z } from 'zod';
import { LOG_MODULES, type LogEntry, type LogLevel, type LogSink } from '../model';

/** Node-RED's numeric levels (@node-red/util log.js); 98 and 99 are audit and metric records, which are not logs. */
function levelOf(number: number): LogLevel {
  if (number <= 20) return 'error';
  if (number <= 30) return 'warn';
  if (number <= 40) return 'info';
  return number <= 50 ? 'debug' : 'trace';
}

const recordSchema = z.object({
  level: z.number(),
  msg: z.unknown(),
  type: z.string().optional(),
  id: z.string().optional(),
  name: z.string().optional(),
  /** Nodes of this package put their structured entry beside the text. */
  lorua: z
    .object({
      module: z.enum(LOG_MODULES),
      // The entry was made by our own logger, whose type already holds.
      entry: z.custom<LogEntry>((value) => typeof value === 'object' && value !== null && 'message' in value),
    })
    .optional(),
});

function textOf(message: unknown): string {
  // Node-RED frames some texts with rules of dashes and empty lines.
  if (typeof message === 'string') return message.replace(/^[-=]{10,}$/gm, '').trim();
  if (message instanceof Error) return message.stack ?? message.message;
  if (typeof message === 'object' && message !== null && 'message' in message && typeof message.message === 'string')
    return message.message;
  return inspect(message, { depth: 3, breakLength: Number.POSITIVE_INFINITY });
}

/** A handler of Node-RED's `logging` setting that gives every record to a sink. Never throws. */
export function nodeRedLogHandler(sink: LogSink): (record: unknown) => void {
  return (record) => {
    const parsed = recordSchema.safeParse(record);
    if (!parsed.success || parsed.data.level >= 98) return;
    const { level, msg, type, id, name, lorua } = parsed.data;
    const node = id === undefined ? {} : { node: id };
    if (lorua !== undefined) {
      sink(levelOf(level), lorua.module, { ...lorua.entry, ...node });
      return;
    }
    const text = textOf(msg);
    if (text === '') return;
    sink(levelOf(level), 'flow', {
      operation: 'run-flow',
      event: 'diagnostic',
      message: type === undefined ? text : `[${type}${name ? ` "${name}"` : ''}] ${text}`,
      ...node,
    });
  };
}
