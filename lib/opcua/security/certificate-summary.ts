/** What is told of a certificate. */
import { createHash, X509Certificate } from 'node:crypto';

export const CERTIFICATE_STORES = ['applications', 'users'] as const;
/** Of client programs, which open channels; of people, who log in. */
export type CertificateStore = (typeof CERTIFICATE_STORES)[number];

export interface CertificateSummary {
  readonly store: CertificateStore;
  /** `issuer`: of an authority that completes chains, not trusted by itself. */
  readonly state: 'own' | 'trusted' | 'rejected' | 'issuer';
  /** SHA-1 of the DER form, 40 lower-case hex digits; names the certificate in all acts. */
  readonly thumbprint: string;
  /** Distinguished names, e.g. `CN=SCADA, O=Plant`. */
  readonly subject: string;
  readonly issuer: string;
  /** Application URI of a program (Part 6 §6.2.2), where it names one. */
  readonly applicationUri?: string;
  /** ms UTC. */
  readonly validFrom: number;
  readonly validTo: number;
  readonly validity: 'valid' | 'expired' | 'not-yet-valid';
}

/** @param now ms UTC */
export function summaryOfCertificate(
  certificate: X509Certificate,
  store: CertificateStore,
  state: CertificateSummary['state'],
  now: number,
): CertificateSummary {
  const validFrom = Date.parse(certificate.validFrom);
  const validTo = Date.parse(certificate.validTo);
  const uri = /(?:^|, )URI:([^,]+)/.exec(certificate.subjectAltName ?? '')?.[1];
  return {
    store,
    state,
    thumbprint: thumbprintOf(certificate),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    ...(uri === undefined ? {} : { applicationUri: uri }),
    validFrom,
    validTo,
    validity: now > validTo ? 'expired' : now < validFrom ? 'not-yet-valid' : 'valid',
  };
}

function thumbprintOf({ fingerprint }: X509Certificate): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}

/** SHA-1 of the first certificate of a chain, as files in the PKI folder are named. */
export function thumbprintOfDer(chain: Buffer): string {
  try {
    return thumbprintOf(new X509Certificate(chain));
  } catch {
    return createHash('sha1').update(chain).digest('hex');
  }
}

function oneLine(name: string | undefined): string {
  return (name ?? '').replaceAll('\n', ', ');
}
