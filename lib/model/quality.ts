/**
 * Quality of a value, as OPC UA status codes (Part 4 §7.39, Part 8 §6.3.2). In messages and in the code a quality is
 * its symbolic name; the numeric code is needed only where it is stored or sent.
 */
import { display, InvalidInputError } from './faults';

/** Status codes that make sense for a value, with their numeric codes from OPC UA Part 6 (StatusCode.csv). */
export const QUALITY_CODES = {
  Good: 0x00000000,
  GoodClamped: 0x00300000,
  GoodLocalOverride: 0x00960000,
  Uncertain: 0x40000000,
  UncertainNoCommunicationLastUsableValue: 0x408f0000,
  UncertainLastUsableValue: 0x40900000,
  UncertainSubstituteValue: 0x40910000,
  UncertainInitialValue: 0x40920000,
  UncertainSensorNotAccurate: 0x40930000,
  UncertainEngineeringUnitsExceeded: 0x40940000,
  UncertainSubNormal: 0x40950000,
  UncertainSimulatedValue: 0x42090000,
  UncertainSensorCalibration: 0x420a0000,
  Bad: 0x80000000,
  BadNoCommunication: 0x80310000,
  BadWaitingForInitialData: 0x80320000,
  BadTypeMismatch: 0x80740000,
  BadConfigurationError: 0x80890000,
  BadNotConnected: 0x808a0000,
  BadDeviceFailure: 0x808b0000,
  BadSensorFailure: 0x808c0000,
  BadOutOfService: 0x808d0000,
  BadDataUnavailable: 0x809e0000,
  BadNoData: 0x809b0000,
  BadDataLost: 0x809d0000,
  BadOutOfRange: 0x803c0000,
} as const;

export type Quality = keyof typeof QUALITY_CODES;
export type QualityClass = 'Good' | 'Uncertain' | 'Bad';

const NAMES_BY_CODE = new Map<number, Quality>(
  Object.entries(QUALITY_CODES).map(([name, code]) => [code, name as Quality]),
);

/** Whether a word is the name of a status code that Lorua knows. */
export function isQuality(value: unknown): value is Quality {
  return typeof value === 'string' && Object.hasOwn(QUALITY_CODES, value);
}

/** @throws InvalidInputError if the word is not the name of a status code for values. */
export function parseQuality(value: unknown, field = 'quality'): Quality {
  if (isQuality(value)) return value;
  throw new InvalidInputError([
    {
      field,
      value: display(value),
      rule: 'it must be the name of an OPC UA status code for values',
      cure: `Use one of ${Object.keys(QUALITY_CODES).join(', ')}.`,
    },
  ]);
}

/** Numeric status code (UInt32) of a quality. */
export function qualityCode(quality: Quality): number {
  return QUALITY_CODES[quality];
}

/** The quality of a stored numeric code; a code that Lorua does not know becomes the bare class it belongs to. */
export function qualityFromCode(code: number): Quality {
  const known = NAMES_BY_CODE.get(code >>> 0);
  if (known !== undefined) return known;
  return classOfCode(code);
}

function classOfCode(code: number): QualityClass {
  const severity = code >>> 30;
  if (severity === 0) return 'Good';
  return severity === 1 ? 'Uncertain' : 'Bad';
}

/** Good, Uncertain or Bad: the two top bits of the code (Part 4 §7.39.1). */
export function qualityClass(quality: Quality): QualityClass {
  return classOfCode(QUALITY_CODES[quality]);
}
