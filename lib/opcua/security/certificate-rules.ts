/**
 * What a certificate may be used for (Part 4 §6.1.3, Part 6 §6.2): the library trusts a certificate whatever its use,
 * and takes anybody's signature for that of an authority.
 */
import type { CertificateStore } from './certificate-summary';
import { certificateParts, DER_TAG, type Der, derItems, readDer } from './der';

/** Object identifiers, DER content in hex. */
const BASIC_CONSTRAINTS = '551d13';
const KEY_USAGE = '551d0f';
const EXTENDED_KEY_USAGE = '551d25';
const ANY_EXTENDED_USAGE = '551d2500';
const CLIENT_AUTHENTICATION = '2b06010505070302';

/** Bits of keyUsage, RFC 5280 §4.2.1.3. */
const BITS = { digitalSignature: 0, keyEncipherment: 2, dataEncipherment: 3, keyCertSign: 5 } as const;
type Usage = keyof typeof BITS;

interface Uses {
  readonly isSelfIssued: boolean;
  readonly isAuthority: boolean;
  /** How many authorities may follow below; Infinity without limit. */
  readonly pathLength: number;
  /** `undefined` where the certificate says nothing. */
  readonly has: ((usage: Usage) => boolean) | undefined;
  readonly extended: readonly string[] | undefined;
}

function usesOf(certificate: Buffer): Uses {
  const { issuer, subject, extensions } = certificateParts(certificate);
  const value = (id: string): Der | undefined => {
    const bytes = extensions.get(id);
    return bytes && readDer(bytes);
  };
  const constraints = value(BASIC_CONSTRAINTS);
  const [authority, length] = constraints === undefined ? [] : derItems(constraints);
  const bits = value(KEY_USAGE)?.content;
  const extended = value(EXTENDED_KEY_USAGE);
  return {
    isSelfIssued: issuer.equals(subject),
    isAuthority: authority?.tag === DER_TAG.boolean && authority.content[0] !== 0,
    pathLength:
      length?.tag === DER_TAG.integer ? length.content.readUIntBE(0, Math.min(length.content.length, 6)) : Infinity,
    // The first byte of a bit string tells how many bits of the last are unused.
    has: bits && ((usage) => ((bits[1 + (BITS[usage] >> 3)] ?? 0) & (0x80 >> (BITS[usage] & 7))) !== 0),
    extended: extended && derItems(extended).map(({ content }) => content.toString('hex')),
  };
}

function mayAuthenticateClients({ extended }: Uses): boolean {
  return extended === undefined || extended.includes(CLIENT_AUTHENTICATION) || extended.includes(ANY_EXTENDED_USAGE);
}

/**
 * Whether a certificate may be used to open a channel (a program) or to log in (a person).
 * - Programs: digitalSignature, keyEncipherment and dataEncipherment, as Part 6 §6.2.2 wants; an authority only where
 *   it has issued itself, as old tools make them.
 * - People: digitalSignature or clientAuth, and never an authority.
 * What names extended uses names clientAuth. Never throws: what cannot be read has no use.
 */
export function isForUse(certificate: Buffer, store: CertificateStore): boolean {
  try {
    const uses = usesOf(certificate);
    if (!mayAuthenticateClients(uses)) return false;
    if (store === 'applications')
      return (
        (!uses.isAuthority || uses.isSelfIssued) &&
        (['digitalSignature', 'keyEncipherment', 'dataEncipherment'] as const).every((usage) => uses.has?.(usage))
      );
    if (uses.isAuthority) return false;
    return uses.has?.('digitalSignature') ?? uses.extended !== undefined;
  } catch {
    return false;
  }
}

/**
 * Whether a certificate may issue others: without this, every trusted program could make more of its kind.
 * @param below how many authorities are between it and the certificate that is judged
 */
export function mayIssue(certificate: Buffer, below: number): boolean {
  try {
    const { isAuthority, pathLength, has } = usesOf(certificate);
    return isAuthority && below <= pathLength && (has?.('keyCertSign') ?? true);
  } catch {
    return false;
  }
}
