/**
 * Pages as the library sends them: they come as the bytes of DataValue[] and are written as they are, so that no value
 * becomes an object on the event loop.
 */
import { Buffer } from 'node:buffer';
import type { HistoryData, HistoryModifiedData } from 'node-opcua';
import type { EncodedHistoryPage } from '../../model';
import type { Library } from '../library';

/** From 1601-01-01 to 1970-01-01, ms. */
const EPOCH_DIFFERENCE = 11_644_473_600_000n;
const TICKS_PER_MILLISECOND = 10_000n;
/** HistoryUpdateType (Part 11 §6.9.3): a value that another one took the place of. */
const UPDATE_REPLACE = 2;
/** DateTime, HistoryUpdateType, and a user that is not known. */
const MODIFICATION_SIZE = 8 + 4 + 4;
/** Mask, status and time of a DataValue without value. */
const STATUS_SIZE = 1 + 4 + 8;
const STATUS_AND_SOURCE_TIME = 0x06;

export function ticksOf(time: number): bigint {
  return (BigInt(Math.round(time)) + EPOCH_DIFFERENCE) * TICKS_PER_MILLISECOND;
}

/** Bytes that a page takes in a response. */
export function sizeOf(page: EncodedHistoryPage): number {
  return page.bytes.length + (page.modifiedAt === undefined ? 0 : 4 + page.modifiedAt.length * MODIFICATION_SIZE);
}

function modificationInfos(modifiedAt: readonly number[]): Uint8Array<ArrayBuffer> {
  const infos = Buffer.from(new ArrayBuffer(4 + modifiedAt.length * MODIFICATION_SIZE));
  infos.writeInt32LE(modifiedAt.length, 0);
  let at = 4;
  for (const time of modifiedAt) {
    infos.writeBigInt64LE(ticksOf(time), at);
    infos.writeInt32LE(UPDATE_REPLACE, at + 8);
    infos.writeInt32LE(-1, at + 12);
    at += MODIFICATION_SIZE;
  }
  return infos;
}

/** Source time of the last value of a page that holds source times, ms UTC: it stands at the very end. */
export function lastTime({ bytes, count }: EncodedHistoryPage): number | undefined {
  if (count === 0) return undefined;
  const ticks = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigInt64(bytes.length - 8, true);
  return Number(ticks / TICKS_PER_MILLISECOND - EPOCH_DIFFERENCE);
}

/** A page with a status, without a value, behind its last one. */
export function withStatus(page: EncodedHistoryPage, time: number, status: number): EncodedHistoryPage {
  const bytes = Buffer.from(new ArrayBuffer(page.bytes.length + STATUS_SIZE));
  bytes.set(page.bytes);
  const at = page.bytes.length;
  bytes.writeUInt8(STATUS_AND_SOURCE_TIME, at);
  bytes.writeUInt32LE(status, at + 1);
  bytes.writeBigInt64LE(ticksOf(time), at + 5);
  bytes.writeInt32LE(page.count + 1, 0);
  return { ...page, bytes, count: page.count + 1 };
}

type OutputStream = Parameters<HistoryData['encode']>[0];

function write(stream: OutputStream, bytes: Uint8Array): void {
  const { buffer, byteOffset, length } = bytes;
  if (buffer instanceof ArrayBuffer) stream.writeArrayBuffer(buffer, byteOffset, length);
  else stream.writeArrayBuffer(new Uint8Array(bytes).buffer, 0, length);
}

export interface EncodedDataTypes {
  data(page: EncodedHistoryPage): HistoryData;
  modifiedData(page: EncodedHistoryPage): HistoryModifiedData;
}

export function encodedDataTypes(library: Library): EncodedDataTypes {
  class EncodedHistoryData extends library.HistoryData {
    readonly #bytes: Uint8Array;
    constructor(bytes: Uint8Array) {
      super(null);
      this.#bytes = bytes;
    }
    override encode(stream: OutputStream): void {
      write(stream, this.#bytes);
    }
  }
  class EncodedHistoryModifiedData extends library.HistoryModifiedData {
    readonly #parts: readonly Uint8Array[];
    constructor(...parts: readonly Uint8Array[]) {
      super(null);
      this.#parts = parts;
    }
    override encode(stream: OutputStream): void {
      for (const part of this.#parts) write(stream, part);
    }
  }
  return {
    data: ({ bytes }) => new EncodedHistoryData(bytes),
    modifiedData: ({ bytes, modifiedAt = [] }) => new EncodedHistoryModifiedData(bytes, modificationInfos(modifiedAt)),
  };
}
