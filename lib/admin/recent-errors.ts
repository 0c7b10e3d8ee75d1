import { CONNECTION_ERROR_KINDS, type ConnectionErrorKind, type ConnectionErrors } from '../model';

/** Pieces of an hour in which errors are counted: those of the oldest are forgotten together. */
const PIECES = 12;
const PIECE = 5 * 60_000;

type Counts = Partial<Record<ConnectionErrorKind, number>>;

/** Errors of the last hour, made from counters that only grow (and begin anew when a poller is deployed again). */
export class RecentErrors {
  #before: ConnectionErrors = {};
  /** Newest last. */
  #pieces: { readonly from: number; readonly counts: Counts }[] = [];

  /** Takes note of the counters now. @param now monotonic, ms */
  observe(errors: ConnectionErrors, now: number): void {
    for (const kind of CONNECTION_ERROR_KINDS) {
      const count = errors[kind] ?? 0;
      const before = this.#before[kind] ?? 0;
      const more = count < before ? count : count - before;
      if (more > 0) this.#add(kind, more, now);
    }
    this.#before = errors;
  }

  /** Of the last hour, to five minutes. @param now monotonic, ms */
  since(now: number): ConnectionErrors {
    this.#pieces = this.#pieces.filter(({ from }) => now - from < PIECES * PIECE);
    const sum: Counts = {};
    for (const { counts } of this.#pieces)
      for (const kind of CONNECTION_ERROR_KINDS) {
        const count = counts[kind];
        if (count !== undefined) sum[kind] = (sum[kind] ?? 0) + count;
      }
    return sum;
  }

  #add(kind: ConnectionErrorKind, count: number, now: number): void {
    let piece = this.#pieces.at(-1);
    if (piece === undefined || now - piece.from >= PIECE) {
      piece = { from: now, counts: {} };
      this.#pieces.push(piece);
    }
    piece.counts[kind] = (piece.counts[kind] ?? 0) + count;
  }
}
