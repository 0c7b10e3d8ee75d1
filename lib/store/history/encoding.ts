/**
 * Pages in the form in which OPC UA sends them: DataValue[] in the binary encoding (Part 6 §5.2.2.17, §5.2.2.16,
 * §5.2.5), made beside the data so that no value becomes an object on its way.
 */
import type { EncodedHistoryPage, HistoryEncoding } from '../../model';
import type { StoredHistoryPage } from '../backend';
import { integersOf, SampleFlag, ValueType } from '../columns';

/** Bits of a DataValue's first byte. */
const HAS_VALUE = 0x01;
const HAS_STATUS = 0x02;
const HAS_SOURCE_TIME = 0x04;
/** Built-in types of a Variant (Part 6 §5.1.2). */
const TYPE_BOOLEAN = 1;
const TYPE_INT32 = 6;
const TYPE_INT64 = 8;
const TYPE_DOUBLE = 11;
const TYPE_STRING = 12;
const TYPE_STATUS_CODE = 19;

/** From 1601-01-01 to 1970-01-01, ms. */
const EPOCH_DIFFERENCE = 11_644_473_600_000;
const TICKS_PER_MILLISECOND = 10_000;
const TWO_POW_32 = 2 ** 32;

/** Mask, Variant of eight bytes, status, time. Texts come on top. */
const LARGEST_VALUE = 1 + 1 + 8 + 4 + 8;
const COUNT_SIZE = 4;

/** Writes DataValues one behind the other. */
export class DataValueWriter {
  readonly #mask: number;
  #buffer: Buffer<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #length = COUNT_SIZE;
  #count = 0;

  constructor({ sourceTimestamps }: HistoryEncoding, capacity: number) {
    this.#mask = sourceTimestamps ? HAS_SOURCE_TIME : 0;
    this.#buffer = Buffer.from(new ArrayBuffer(COUNT_SIZE + capacity * LARGEST_VALUE));
    this.#view = viewOf(this.#buffer);
  }

  double(time: number, status: number, value: number): void {
    this.#begin(status, HAS_VALUE, 0);
    this.#view.setUint8(this.#length, TYPE_DOUBLE);
    this.#view.setFloat64(this.#length + 1, value, true);
    this.#length += 9;
    this.#end(time, status);
  }

  int32(time: number, status: number, value: number): void {
    this.#begin(status, HAS_VALUE, 0);
    this.#view.setUint8(this.#length, TYPE_INT32);
    this.#view.setInt32(this.#length + 1, value, true);
    this.#length += 5;
    this.#end(time, status);
  }

  statusCode(time: number, status: number, value: number): void {
    this.#begin(status, HAS_VALUE, 0);
    this.#view.setUint8(this.#length, TYPE_STATUS_CODE);
    this.#view.setUint32(this.#length + 1, value, true);
    this.#length += 5;
    this.#end(time, status);
  }

  int64(time: number, status: number, value: bigint): void {
    this.#begin(status, HAS_VALUE, 0);
    this.#view.setUint8(this.#length, TYPE_INT64);
    this.#view.setBigInt64(this.#length + 1, value, true);
    this.#length += 9;
    this.#end(time, status);
  }

  boolean(time: number, status: number, value: boolean): void {
    this.#begin(status, HAS_VALUE, 0);
    this.#view.setUint8(this.#length, TYPE_BOOLEAN);
    this.#view.setUint8(this.#length + 1, value ? 1 : 0);
    this.#length += 2;
    this.#end(time, status);
  }

  string(time: number, status: number, value: string): void {
    const size = Buffer.byteLength(value);
    this.#begin(status, HAS_VALUE, size);
    this.#view.setUint8(this.#length, TYPE_STRING);
    this.#view.setInt32(this.#length + 1, size, true);
    this.#buffer.write(value, this.#length + 5);
    this.#length += 5 + size;
    this.#end(time, status);
  }

  /** A status without a value. */
  none(time: number, status: number): void {
    this.#begin(status, 0, 0);
    this.#end(time, status);
  }

  /** The array with its count in front. */
  finish(): { bytes: Uint8Array<ArrayBuffer>; count: number } {
    this.#view.setInt32(0, this.#count, true);
    // Exactly as long as what is in it, so that it can be handed to another thread as a whole.
    return { bytes: new Uint8Array(this.#view.buffer.slice(0, this.#length)), count: this.#count };
  }

  #begin(status: number, mask: number, text: number): void {
    if (this.#length + LARGEST_VALUE + text > this.#buffer.length) this.#grow(LARGEST_VALUE + text);
    this.#view.setUint8(this.#length++, mask | this.#mask | (status === 0 ? 0 : HAS_STATUS));
    this.#count++;
  }

  #end(time: number, status: number): void {
    if (status !== 0) {
      this.#view.setUint32(this.#length, status, true);
      this.#length += 4;
    }
    if (this.#mask === 0) return;
    // Ticks need 57 bits: more than a double holds, so both halves and the fraction are computed apart.
    const whole = Math.floor(time);
    const milliseconds = whole + EPOCH_DIFFERENCE;
    const high = Math.floor(milliseconds / TWO_POW_32);
    const fraction = Math.round((time - whole) * TICKS_PER_MILLISECOND);
    const low = (milliseconds - high * TWO_POW_32) * TICKS_PER_MILLISECOND + fraction;
    const carry = Math.floor(low / TWO_POW_32);
    this.#view.setUint32(this.#length, low - carry * TWO_POW_32, true);
    this.#view.setUint32(this.#length + 4, high * TICKS_PER_MILLISECOND + carry, true);
    this.#length += 8;
  }

  #grow(needed: number): void {
    const grown = Buffer.from(new ArrayBuffer(Math.max(this.#buffer.length * 2, this.#length + needed)));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
    this.#view = viewOf(grown);
  }
}

function viewOf(buffer: Buffer<ArrayBuffer>): DataView<ArrayBuffer> {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** A page as bytes. Its buffer is of its own and may be handed to another thread. */
export function encodePage(page: StoredHistoryPage, encoding: HistoryEncoding): EncodedHistoryPage {
  const { columns } = page;
  const { length, time, status, flags, values, texts } = columns;
  const integers = integersOf(columns);
  const writer = new DataValueWriter(encoding, length);
  for (let index = 0; index < length; index++) {
    const at = time[index] as number;
    const code = status[index] as number;
    switch ((flags[index] as number) & SampleFlag.TypeMask) {
      case ValueType.Double:
        if (page.valueType === 'Int32') writer.int32(at, code, values[index] as number);
        else if (page.valueType === 'StatusCode') writer.statusCode(at, code, values[index] as number);
        else writer.double(at, code, values[index] as number);
        break;
      case ValueType.Int64:
        writer.int64(at, code, integers[index] as bigint);
        break;
      case ValueType.Boolean:
        writer.boolean(at, code, values[index] !== 0);
        break;
      case ValueType.String:
        writer.string(at, code, texts[values[index] as number] as string);
        break;
      default:
        writer.none(at, code);
    }
  }
  return {
    ...writer.finish(),
    ...(page.modifiedAt ? { modifiedAt: Array.from(page.modifiedAt) } : {}),
    ...(page.next ? { next: page.next } : {}),
  };
}
