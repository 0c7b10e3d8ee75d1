/**
 * Log files that cannot grow without bound: a file of limited size, and a limited number of older ones
 * (`gateway.log`, `gateway.1.log`, …). Writing never blocks the event loop and never fails the gateway.
 */
import { appendFileSync, mkdirSync, statSync } from 'node:fs';
import { appendFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../model';

export interface LogFileSettings {
  readonly folder: string;
  /** Without extension. */
  readonly name: string;
  /** Bytes of one file. */
  readonly maximumSize: number;
  /** How many files, the current one included. */
  readonly maximumFiles: number;
}

export const DEFAULT_LOG_FILES = { name: 'gateway', maximumSize: 10 * 1024 * 1024, maximumFiles: 5 } as const;

/** Characters that may wait for a slow disk; what comes beyond is dropped and counted. */
const MAXIMUM_WAITING = 1024 * 1024;

export class RotatedLog {
  readonly #settings: LogFileSettings;
  readonly #onTrouble: (reason: string) => void;
  #waiting: string[] = [];
  #waitingLength = 0;
  #inFlight: string[] = [];
  #size: number;
  #dropped = 0;
  #troubled = false;
  #writing: Promise<void> | undefined;
  #closed = false;

  /** @param onTrouble told once when writing begins to fail, and again only after it had worked in between */
  constructor(settings: LogFileSettings, onTrouble: (reason: string) => void) {
    this.#settings = settings;
    this.#onTrouble = onTrouble;
    this.#size = sizeOf(this.#path(0));
  }

  /** Path of the file that is being written. */
  get file(): string {
    return this.#path(0);
  }

  /** Queues a line. */
  write(line: string): void {
    if (this.#closed) return;
    if (this.#waitingLength + line.length > MAXIMUM_WAITING) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length + 1;
    this.#writing ??= this.#drain();
  }

  /** Resolves when all that was given so far is written, or could not be. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Writes the rest. Idempotent. */
  async close(): Promise<void> {
    await this.settled();
    this.#closed = true;
  }

  /** Writes what still waits, at once: for the `exit` event of the process, where nothing else works. */
  flushAtExit(): void {
    if (this.#closed) return;
    this.#closed = true;
    // What is being written may be cut off by the end of the process: a line twice is better than a line lost.
    const lines = [...this.#inFlight, ...this.#waiting];
    if (lines.length === 0) return;
    try {
      mkdirSync(this.#settings.folder, { recursive: true, mode: 0o700 });
      appendFileSync(this.#path(0), `${lines.join('\n')}\n`, { mode: 0o600 });
    } catch {
      // The process ends; there is nobody left to tell.
    }
  }

  async #drain(): Promise<void> {
    // Lines of the same turn are written together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#waitingLength = 0;
      this.#inFlight = lines;
      try {
        if (this.#dropped > 0) {
          lines.push(`… ${this.#dropped} entries are missing here: writing them was too slow or failed`);
          this.#dropped = 0;
        }
        await this.#append(`${lines.join('\n')}\n`);
        this.#troubled = false;
      } catch (error) {
        this.#dropped += lines.length;
        if (!this.#troubled) this.#onTrouble(errorText(error));
        this.#troubled = true;
      }
    }
    this.#inFlight = [];
    this.#writing = undefined;
  }

  async #append(block: string): Promise<void> {
    const bytes = Buffer.byteLength(block);
    if (this.#size > 0 && this.#size + bytes > this.#settings.maximumSize) await this.#rotate();
    await mkdir(this.#settings.folder, { recursive: true, mode: 0o700 });
    await appendFile(this.#path(0), block, { mode: 0o600 });
    this.#size += bytes;
  }

  async #rotate(): Promise<void> {
    const last = this.#settings.maximumFiles - 1;
    await rm(this.#path(last), { force: true });
    for (let age = last; age > 0; age--) {
      try {
        await rename(this.#path(age - 1), this.#path(age));
      } catch (error) {
        // Fewer files than allowed exist so far.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    this.#size = 0;
  }

  #path(age: number): string {
    const { folder, name } = this.#settings;
    return join(folder, age === 0 ? `${name}.log` : `${name}.${age}.log`);
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
