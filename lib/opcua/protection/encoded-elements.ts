/** Elements of a large answer, encoded in turns with the requests of others: the library encodes all of them at once. */
import type { BinaryStream } from 'node-opcua';
import type { Library } from '../library';
import type { Turns } from './turns';

/** Elements that are encoded without looking at the clock; an answer with no more needs no turns. */
export const FEW_ELEMENTS = 100;
/** Bytes of a part that are made room for at first. */
const FIRST_SIZE = 16_384;
const LARGEST_SIZE = 64 * 1024 * 1024;

export interface Encodable {
  encode(stream: BinaryStream): void;
}

const NOTHING: Encodable = { encode: () => undefined };

/**
 * Encodes elements that stand one after the other in an answer, with nothing between them.
 * @returns what writes the same, one for each; the elements themselves may be shared with others
 */
export async function encodedInTurns(
  { BinaryStream }: Library,
  elements: readonly Encodable[],
  turns: Turns,
): Promise<readonly Encodable[]> {
  const encoded: Encodable[] = [];
  for (let start = 0; start < elements.length; start += FEW_ELEMENTS) {
    const part = elements.slice(start, start + FEW_ELEMENTS);
    const own = BinaryStream.createGrowable(FIRST_SIZE, LARGEST_SIZE);
    for (const element of part) element.encode(own);
    const bytes = Uint8Array.from(own.buffer.subarray(0, own.length));
    // The first writes for all of its part: a buffer for each would cost more than it saves.
    encoded.push({ encode: (stream) => stream.writeArrayBuffer(bytes.buffer, 0, bytes.length) });
    for (let index = 1; index < part.length; index++) encoded.push(NOTHING);
    await turns.next();
  }
  return encoded;
}
