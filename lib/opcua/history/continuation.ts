/**
 * Continuation points that carry all there is to know. The server remembers nothing, so they hold after a restart and
 * for as long as the client likes. They are signed together with the node and the question, so that none can ask for
 * anything that the request it came from did not.
 *
 * Layout, little endian: version (1), flags (1), start (8), skip (8), given (8), signature (16).
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { HistoryQuestion, Position } from './question';

const VERSION = 1;
const BOUND_AT_START = 0x01;
const BOUND_AT_END = 0x02;
const BODY_SIZE = 26;
const SIGNATURE_SIZE = 16;
export const CONTINUATION_POINT_SIZE = BODY_SIZE + SIGNATURE_SIZE;

/** Everything of a question that its continuation must not change; how many values come at once may differ. */
function essence(question: HistoryQuestion): string {
  return JSON.stringify(question, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );
}

export class ContinuationPoints {
  readonly #key: Buffer;

  /** @param key secret of this server, 32 bytes */
  constructor(key: Buffer) {
    this.#key = key;
  }

  write(position: Position, nodeId: string, question: HistoryQuestion): Buffer {
    const point = Buffer.alloc(CONTINUATION_POINT_SIZE);
    point.writeUInt8(VERSION, 0);
    point.writeUInt8((position.bounds.start ? BOUND_AT_START : 0) | (position.bounds.end ? BOUND_AT_END : 0), 1);
    point.writeDoubleLE(position.start, 2);
    point.writeDoubleLE(position.skip, 10);
    point.writeDoubleLE(position.given, 18);
    this.#sign(point, nodeId, question).copy(point, BODY_SIZE);
    return point;
  }

  /** @returns `undefined` for what this server did not give for this node and question */
  read(point: Buffer, nodeId: string, question: HistoryQuestion): Position | undefined {
    if (point.length !== CONTINUATION_POINT_SIZE || point.readUInt8(0) !== VERSION) return undefined;
    const signature = point.subarray(BODY_SIZE);
    if (!timingSafeEqual(signature, this.#sign(point, nodeId, question))) return undefined;
    const flags = point.readUInt8(1);
    return {
      start: point.readDoubleLE(2),
      bounds: { start: (flags & BOUND_AT_START) !== 0, end: (flags & BOUND_AT_END) !== 0 },
      skip: point.readDoubleLE(10),
      given: point.readDoubleLE(18),
    };
  }

  /** Whether it looks like one of ours; none at all does. For clients that let one go, and may send anything with it. */
  isPlausible(point: Buffer | null): boolean {
    if (point === null || point.length === 0) return true;
    return point.length === CONTINUATION_POINT_SIZE && point.readUInt8(0) === VERSION;
  }

  #sign(point: Buffer, nodeId: string, question: HistoryQuestion): Buffer {
    return createHmac('sha256', this.#key)
      .update(point.subarray(0, BODY_SIZE))
      .update(JSON.stringify(nodeId))
      .update(essence(question))
      .digest()
      .subarray(0, SIGNATURE_SIZE);
  }
}
