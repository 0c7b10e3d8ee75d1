/** Chunks on the wire (Part 6 §6.7.2, §7.1.2): their headers are readable even where their bodies are encrypted. */

const HEADER = 8;
const FINAL = 0x46;
const ABORT = 0x41;

/** Adds up how large the message is that is coming in, without keeping any of it. */
export class MessageMeter {
  readonly #header = Buffer.alloc(HEADER);
  #headerBytes = 0;
  /** Of the chunk that is coming in. */
  #missing = 0;
  #message = 0;

  /** Bytes of the message that is unfinished, as far as its chunks announce. */
  get unfinished(): number {
    return this.#message;
  }

  /** @returns bytes of the largest message so far of those that this data belongs to, as their chunks announce them */
  feed(data: Buffer): number {
    let largest = this.#message;
    for (let offset = 0; offset < data.length; ) {
      if (this.#missing > 0) {
        const skipped = Math.min(this.#missing, data.length - offset);
        this.#missing -= skipped;
        offset += skipped;
        continue;
      }
      const copied = data.copy(this.#header, this.#headerBytes, offset, offset + HEADER - this.#headerBytes);
      this.#headerBytes += copied;
      offset += copied;
      if (this.#headerBytes < HEADER) break;
      this.#headerBytes = 0;
      const size = this.#header.readUInt32LE(4);
      this.#missing = Math.max(size - HEADER, 0);
      this.#message += Math.max(size, HEADER);
      largest = Math.max(largest, this.#message);
      const kind = this.#header[3];
      if (kind === FINAL || kind === ABORT) this.#message = 0;
    }
    return largest;
  }
}

/** An Error message (Part 6 §7.1.2.5). */
export function errorChunk(statusCode: number, reason: string): Buffer {
  const text = Buffer.from(reason, 'utf8');
  const chunk = Buffer.alloc(HEADER + 8 + text.length);
  chunk.write('ERRF', 0, 'latin1');
  chunk.writeUInt32LE(chunk.length, 4);
  chunk.writeUInt32LE(statusCode, HEADER);
  chunk.writeInt32LE(text.length, HEADER + 4);
  text.copy(chunk, HEADER + 8);
  return chunk;
}
