/** Looks into a gateway's database beside the program, as somebody does who wants to know what is really on the disk. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type MetricValue, ORIGINS, type Origin } from '../../lib/model';

/** As in lib/store/columns.ts, written down a second time: it must never change. */
const TYPE_BITS = 0b111;
const BOOLEAN = 3;
const CORRECTED = 0b1000_0000;

export interface HistoryRow {
  readonly devEui: string;
  readonly metric: string;
  /** ms UTC */
  readonly time: number;
  readonly value: MetricValue | undefined;
  /** OPC UA status code */
  readonly status: number;
  readonly origin: Origin;
  readonly corrected: boolean;
}

interface StoredRow {
  readonly dev_eui: string;
  readonly key: string;
  readonly time: bigint;
  readonly status: bigint;
  readonly flags: bigint;
  readonly value: number | bigint | string | null;
}

export class HistoryFile {
  readonly #folder: string;
  readonly #database: Database.Database;

  /** Takes a copy first: opening a database that a killed process left repairs it, which is the gateway's to do. */
  constructor(file: string) {
    this.#folder = mkdtempSync(join(tmpdir(), 'lorua-look-'));
    const copy = join(this.#folder, 'copy.db');
    for (const companion of ['', '-wal'])
      if (existsSync(file + companion)) copyFileSync(file + companion, copy + companion);
    this.#database = new Database(copy);
  }

  /** What SQLite finds wrong with the file; `ok` if nothing. */
  check(): unknown {
    return this.#database.pragma('quick_check', { simple: true });
  }

  *rows(): Generator<HistoryRow> {
    const rows = this.#database
      .prepare<[], StoredRow>(
        'SELECT dev_eui, key, time, status, flags, value FROM history JOIN metrics USING (metric_id)',
      )
      .safeIntegers()
      .iterate();
    for (const { dev_eui: devEui, key: metric, time, status, flags: bits, value } of rows) {
      const flags = Number(bits);
      const isBoolean = (flags & TYPE_BITS) === BOOLEAN;
      yield {
        devEui,
        metric,
        time: Number(time),
        value: value === null ? undefined : isBoolean ? value !== 0n : value,
        status: Number(status),
        origin: ORIGINS[(flags >> 3) & 0b111] ?? 'flow',
        corrected: (flags & CORRECTED) !== 0,
      };
    }
  }

  close(): void {
    this.#database.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
