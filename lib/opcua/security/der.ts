/** As much of DER (X.690) and X.509 (RFC 5280) as is needed where Node.js does not tell it. */

export interface Der {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly raw: Buffer;
}

export const DER_TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** Longest length field: what is longer than 4 GB is no certificate. */
const LONGEST_LENGTH = 4;

/** @throws RangeError if the bytes end too early or are no DER */
export function readDer(bytes: Buffer, offset = 0): Der {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) throw new RangeError('DER ends too early');
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || lengthBytes > LONGEST_LENGTH) throw new RangeError('DER has a length that is not allowed');
  const start = offset + 2 + lengthBytes;
  if (start > bytes.length) throw new RangeError('DER ends too early');
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(offset + 2, lengthBytes);
  if (start + length > bytes.length) throw new RangeError('DER ends too early');
  return { tag, content: bytes.subarray(start, start + length), raw: bytes.subarray(offset, start + length) };
}

/** What a constructed element holds. */
export function derItems({ content }: Der): Der[] {
  const items: Der[] = [];
  for (let offset = 0; offset < content.length; ) {
    const item = readDer(content, offset);
    items.push(item);
    offset += item.raw.length;
  }
  return items;
}

/** UTCTime or GeneralizedTime as ms UTC; `NaN` for what is neither. */
export function derTime({ tag, content }: Der): number {
  const text = content.toString('latin1');
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null || (tag !== DER_TAG.utcTime && tag !== DER_TAG.generalizedTime)) return Number.NaN;
  const [, year = '', month, day, hour, minute, second] = match;
  // RFC 5280 §4.1.2.5.1: two digits from 50 on belong to the last century.
  const century = year.length === 4 ? '' : Number(year) >= 50 ? '19' : '20';
  return Date.parse(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

export interface CertificateParts {
  /** DER content of the serial number, in hex. */
  readonly serialNumber: string;
  /** Names in DER, to be compared as they are. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** Values by the DER content of their object identifier, in hex. */
  readonly extensions: ReadonlyMap<string, Buffer>;
}

/**
 * @param chain DER; the first certificate is read
 * @throws RangeError for what is no certificate
 */
export function certificateParts(chain: Buffer): CertificateParts {
  const [tbs] = derItems(readDer(chain));
  const fields = tbs === undefined ? [] : derItems(tbs);
  // The version is left out of certificates of version 1.
  const [serialNumber, , issuer, , subject, , ...optional] = fields[0]?.tag === 0xa0 ? fields.slice(1) : fields;
  if (serialNumber === undefined || issuer === undefined || subject === undefined)
    throw new RangeError('this is no certificate');
  const extensions = new Map<string, Buffer>();
  const list = optional.find(({ tag }) => tag === 0xa3);
  for (const extension of list === undefined ? [] : derItems(readDer(list.content))) {
    const [id, ...rest] = derItems(extension);
    const value = rest.at(-1);
    if (id !== undefined && value?.tag === DER_TAG.octetString)
      extensions.set(id.content.toString('hex'), value.content);
  }
  return { serialNumber: serialNumber.content.toString('hex'), issuer: issuer.raw, subject: subject.raw, extensions };
}
