/** Parts of values (Part 4 §7.27): of what has a history here, only texts have parts. */
import { Buffer } from 'node:buffer';
import type { DataValue, HistoryData, NumericRange } from 'node-opcua';
import type { EncodedHistoryPage, MetricDataType } from '../../model';
import type { Library } from '../library';
import type { HistoryStatus } from './statuses';

/** Characters of a text, counted from 0, both included. */
export interface TextRange {
  readonly first: number;
  readonly last: number;
}

/** @returns the part of each text that is wanted, none, or why there can be none */
export function judgeIndexRange(
  range: NumericRange | null,
  dataType: MetricDataType | undefined,
): TextRange | undefined | HistoryStatus {
  if (range === null || range.isEmpty()) return undefined;
  if (!range.isDefined() || !range.isValid()) return 'BadIndexRangeInvalid';
  if (dataType !== 'String') return 'BadIndexRangeNoData';
  const value: unknown = range.value;
  const [first, last]: unknown[] = Array.isArray(value) ? value : [value, value];
  return typeof first === 'number' && typeof last === 'number' ? { first, last } : 'BadIndexRangeNoData';
}

/** A page with the wanted part of each text. The one case in which values become objects. */
export function partsOf(library: Library, { bytes, count }: EncodedHistoryPage, range: TextRange): HistoryData {
  const { BinaryStream, StatusCodes, Variant } = library;
  const stream = new BinaryStream(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  stream.readInteger();
  const dataValues: DataValue[] = [];
  for (let index = 0; index < count; index++) {
    const shown = library.decodeDataValue(stream);
    const whole: unknown = shown.value.value;
    if (typeof whole === 'string' && range.first < whole.length)
      shown.value.value = whole.slice(range.first, range.last + 1);
    else if (typeof whole === 'string') {
      shown.value = new Variant();
      shown.statusCode = StatusCodes.BadIndexRangeNoData;
    }
    dataValues.push(shown);
  }
  return new library.HistoryData({ dataValues });
}
