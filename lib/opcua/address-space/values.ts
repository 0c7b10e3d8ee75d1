/**
 * Putting values into variables. Everything that reaches into the library beyond its documented API is here, with a
 * test each.
 */
import type { DataValue, NodeId, UAVariable, Variant } from 'node-opcua';
import { type MetricDataType, type MetricValue, QUALITY_CODES, type Quality } from '../../model';
import type { Library } from '../library';

/** Built-in types (Part 6 §5.1.2) of the variables that Lorua makes, by their numbers in the standard. */
export type ScalarType =
  | MetricDataType
  | 'Byte'
  | 'Int32'
  | 'UInt32'
  | 'UInt64'
  | 'DateTime'
  | 'LocalizedText'
  /** DeviceHealthEnumeration of the Devices standard; its numbers. */
  | 'DeviceHealth';
/** A scalar, or an array of texts. */
export type ValueType = ScalarType | 'String[]';

/** What a variable shows: `undefined` = no value. */
export type PlainValue = MetricValue | Date | readonly string[] | undefined;

/** Status codes from here on are Bad: severity is in the two top bits. */
const FIRST_BAD = 0x8000_0000;

/** DeviceHealthEnumeration in the namespace of the Devices standard. */
const DEVICE_HEALTH_ENUMERATION = 6244;

interface Internals {
  _internal_set_dataValue(value: DataValue): void;
  dataType: NodeId;
  _basicDataType: unknown;
}

/** High and low half, as the library wants 64-bit integers. */
export function splitInt64(value: bigint): [number, number] {
  const bits = BigInt.asUintN(64, value);
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
}

/** Writes values into the variables of one server. */
export class ValueWriter {
  readonly #library: Library;
  readonly #statusCodes: ReadonlyMap<Quality, DataValue['statusCode']>;
  readonly #diIndex: number;
  /** One object for each type, whatever number of variables has it. */
  readonly #dataTypeIds = new Map<ValueType | undefined, NodeId>();

  /** @param diIndex index of the namespace of the Devices standard */
  constructor(library: Library, diIndex: number) {
    this.#library = library;
    this.#diIndex = diIndex;
    const { StatusCodes } = library;
    const names = Object.keys(QUALITY_CODES) as Quality[];
    this.#statusCodes = new Map(names.map((name) => [name, StatusCodes[name]]));
  }

  /** NodeId of a data type; that of BaseDataType where it is not known. */
  dataTypeId(type: ValueType | undefined): NodeId {
    const known = this.#dataTypeIds.get(type) ?? this.#findDataTypeId(type);
    this.#dataTypeIds.set(type, known);
    return known;
  }

  /**
   * Shows a value. Source and server time are kept apart: setValueFromSource of the library would make the server time
   * of an uplink that came late as old as the uplink.
   * A value with a Bad status is not sent (Part 4 §7.11.1: a client shall not use it).
   * @param value must fit `type`; the caller has checked it
   */
  publishValue(
    variable: UAVariable,
    type: ValueType,
    value: PlainValue,
    quality: Quality,
    sourceTime: Date,
    serverTime: Date,
  ): void {
    // Made empty and filled: an option object would be checked field by field, ten times slower.
    const shown = new this.#library.DataValue(null);
    if (value !== undefined && QUALITY_CODES[quality] < FIRST_BAD) this.#fill(shown.value, type, value);
    shown.statusCode = this.#statusCodes.get(quality) ?? this.#library.StatusCodes.BadInternalError;
    shown.sourceTimestamp = sourceTime;
    shown.sourcePicoseconds = 0;
    shown.serverTimestamp = serverTime;
    shown.serverPicoseconds = 0;
    (variable as UAVariable & Internals)._internal_set_dataValue(shown);
  }

  /**
   * Changes the data type of a variable; its monitored items stay.
   * @param type undefined = BaseDataType
   */
  setDataType(variable: UAVariable, type: ValueType | undefined): void {
    const internals = variable as UAVariable & Internals;
    internals.dataType = this.dataTypeId(type);
    internals._basicDataType = undefined;
  }

  #findDataTypeId(type: ValueType | undefined): NodeId {
    if (type === undefined) return this.#library.resolveNodeId(`i=${this.#library.DataTypeIds.BaseDataType}`);
    if (type === 'DeviceHealth')
      return this.#library.resolveNodeId(`ns=${this.#diIndex};i=${DEVICE_HEALTH_ENUMERATION}`);
    return this.#library.resolveNodeId(`i=${this.#builtIn(type)}`);
  }

  #builtIn(type: ValueType): Variant['dataType'] {
    if (type === 'String[]') return this.#library.DataType.String;
    // Enumerations are sent as their numbers (Part 6 §5.2.4).
    return this.#library.DataType[type === 'DeviceHealth' ? 'Int32' : type];
  }

  #fill(variant: Variant, type: ValueType, value: Exclude<PlainValue, undefined>): void {
    variant.dataType = this.#builtIn(type);
    variant.arrayType = this.#library.VariantArrayType[type === 'String[]' ? 'Array' : 'Scalar'];
    if (type === 'LocalizedText')
      variant.value = new this.#library.LocalizedText({ text: String(value), locale: null });
    else variant.value = typeof value === 'bigint' ? splitInt64(value) : value;
  }
}
