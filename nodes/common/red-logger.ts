import type { Node, NodeAPI } from 'node-red';
import { createLogger, type LogEntry, type Logger, type LogLevel, type LogModule, logText } from '../../lib/model';

/** Node-RED's numeric levels (@node-red/util log.js). */
const RED_LEVELS: Readonly<Record<LogLevel, number>> = { error: 20, warn: 30, info: 40, debug: 50, trace: 60 };

/** What a log record of a Lorua node carries besides Node-RED's own properties: the structured entry. */
export interface LoruaRecord {
  readonly level: number;
  readonly id: string;
  readonly type: string;
  readonly name?: string;
  readonly msg: string;
  readonly lorua: { readonly module: LogModule; readonly entry: LogEntry };
}

/**
 * A logger that speaks through Node-RED's log, where users of the palette look. The structured entry goes with it, so
 * that a log handler (the standalone program has one) can write it as JSON.
 */
export function redLogger(RED: NodeAPI, node: Node, module: LogModule): Logger {
  return createLogger(module, (level, name, entry) => {
    const record: LoruaRecord = {
      level: RED_LEVELS[level],
      id: node.id,
      type: node.type,
      ...(node.name ? { name: node.name } : {}),
      msg: logText(entry),
      lorua: { module: name, entry },
    };
    RED.log.log(record);
  });
}
