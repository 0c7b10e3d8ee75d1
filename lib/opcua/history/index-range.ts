/** Parts of values (Part 4 §7.27): of what has a history here, only texts have parts. */
import { Buffer } from 'node:buffer';
import type { DataValue, HistoryData, NumericRange } from 'node-opcua';
import type { EncodedHistoryPage, MetricDataType } from '../../model';
import type { Library } from '../library';
import type { HistoryStatus } from './statuses';

/** @returns the range to be applied, none, or why it cannot be */
export function judgeIndexRange(
  range: NumericRange | null,
  dataType: MetricDataType | undefined,
): NumericRange | undefined | HistoryStatus {
  if (range === null || range.isEmpty()) return undefined;
  if (!range.isDefined() || !range.isValid()) return 'BadIndexRangeInvalid';
  return dataType === 'String' ? range : 'BadIndexRangeNoData';
}

/** A page with the wanted part of each value. The one case in which values become objects. */
export function partsOf(library: Library, { bytes, count }: EncodedHistoryPage, range: NumericRange): HistoryData {
  const stream = new library.BinaryStream(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  stream.readInteger();
  const dataValues: DataValue[] = [];
  for (let index = 0; index < count; index++) {
    const value = library.decodeDataValue(stream);
    const part = library.extractRange(value, range);
    // The part has the time of the whole, also where there is no such part.
    part.sourceTimestamp = value.sourceTimestamp;
    dataValues.push(part);
  }
  return new library.HistoryData({ dataValues });
}
