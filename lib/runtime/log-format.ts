/** How an entry is written: one line, for people or for machines. */
import { type LogEntry, type LogLevel, type LogModule, logText } from '../model';
import type { LogFormat } from './environment';

/** A line break in a text would let an entry look like two. */
function oneLine(text: string): string {
  return text.replace(/\r?\n\s*/g, ' ⏎ ');
}

/** Records of Node-RED have nothing but a text, so what every one of them would repeat is left out. */
function textOf(entry: LogEntry): string {
  if (entry.operation !== 'run-flow') return logText(entry);
  return [entry.message, ...(entry.count === undefined ? [] : [`count=${entry.count}`])].join(' ');
}

/** `2026-11-24T12:00:00.000Z warn  chirpstack: connection lost operation=connect event=lost …` */
export function formatText(time: number, level: LogLevel, module: LogModule, entry: LogEntry): string {
  return `${new Date(time).toISOString()} ${level.padEnd(5)} ${module}: ${oneLine(textOf(entry))}`;
}

/** A JSON object: time (ISO 8601), level, module, operation, event, then the other fields of the entry. */
export function formatJson(time: number, level: LogLevel, module: LogModule, entry: LogEntry): string {
  const { operation, event, ...rest } = entry;
  return JSON.stringify({ time: new Date(time).toISOString(), level, module, operation, event, ...rest });
}

export function formatterOf(format: LogFormat): typeof formatText {
  return format === 'json' ? formatJson : formatText;
}
