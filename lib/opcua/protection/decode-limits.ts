/**
 * How much of a request is made into objects. A message of a few hundred kilobytes can hold a hundred thousand elements,
 * and nobody is served while they are decoded; Part 6 §5.1.8 lets a server limit that.
 */
import type { BinaryStream } from 'node-opcua';
import type { Library } from '../library';
import { replaceMethod } from './replace-method';

/** Elements of all arrays of a request that is no larger than it may be: one for so many bytes of the largest message. */
const BYTES_PER_ELEMENT = 160;
/** Elements that every request may have, whatever its client said of sizes. */
const ALWAYS = 10_000;
/** Elements of one relative path; no address space is as deep. */
const LONGEST_PATH = 1_000;

/** Counts the elements of the request that is being decoded. */
export class DecodeLimits {
  #left: number | undefined;
  #isExceeded = false;

  /** Whether the request was refused because it has too many elements. */
  get isExceeded(): boolean {
    return this.#isExceeded;
  }

  /** @param largest bytes of the largest message that its client may send */
  begin(largest: number): void {
    this.#left = Math.max(ALWAYS, Math.floor(largest / BYTES_PER_ELEMENT));
    this.#isExceeded = false;
  }

  end(): void {
    this.#left = undefined;
  }

  /** @throws RangeError if these are more than are left */
  take(elements: number): void {
    if (this.#left === undefined) return;
    this.#left -= elements;
    if (this.#left < 0) this.#exceed();
  }

  takePath(elements: number): void {
    if (this.#left !== undefined && elements > LONGEST_PATH) this.#exceed();
  }

  #exceed(): never {
    this.#isExceeded = true;
    throw new RangeError('the request has more elements than a request may have');
  }
}

/** What is returned counts if nobody called this before. */
export function decodeLimits({ BinaryStream, RelativePath }: Library): DecodeLimits {
  const limits = new DecodeLimits();
  replaceMethod(BinaryStream.prototype, 'checkArrayLength', (check) => {
    return function checkArrayLength(this: BinaryStream, length: unknown): void {
      // Lengths that are lies come first.
      Reflect.apply(check, this, [length]);
      if (typeof length === 'number') limits.take(length);
    };
  });
  replaceMethod(RelativePath.prototype, 'decode', (decode) => {
    return function decodePath(this: object, stream: unknown): void {
      if (stream instanceof BinaryStream && stream.length + 4 <= stream.buffer.length)
        limits.takePath(stream.buffer.readInt32LE(stream.length));
      Reflect.apply(decode, this, [stream]);
    };
  });
  return limits;
}
