/** What the use cases need of an OPC UA server that runs. Answers carry all that the server tells. */
import type { ClientCounts, Role } from '../model';

export const CERTIFICATE_STORES = ['applications', 'users'] as const;
/** Of client programs, which open channels; of people, who log in. */
export type CertificateStore = (typeof CERTIFICATE_STORES)[number];

export interface KnownCertificate {
  readonly store: CertificateStore;
  readonly state: string;
  /** SHA-1, hex. */
  readonly thumbprint: string;
  readonly subject: string;
  /** ms UTC. */
  readonly validTo: number;
}

/** All throw InvalidInputError for a certificate that is not there, or with which that cannot be done. */
export interface CertificateDoor {
  /** Own ones first. */
  list(): Promise<readonly KnownCertificate[]>;
  trust(thumbprint: string, store?: CertificateStore): Promise<KnownCertificate>;
  reject(thumbprint: string, store?: CertificateStore): Promise<KnownCertificate>;
  remove(thumbprint: string, store?: CertificateStore): Promise<KnownCertificate>;
  /** A new certificate for the server itself. */
  renew(): Promise<KnownCertificate>;
}

export interface OpenSession {
  readonly id: string;
  readonly session: string;
  readonly user: string;
  /** Remote address. */
  readonly address: string;
}

export interface SessionDoor {
  list(): readonly OpenSession[];
  /** @throws InvalidInputError if there is none of this id */
  close(id: string): OpenSession;
}

export interface OpcuaDoors {
  counts(): ClientCounts;
  /** By which clients know the server; `undefined` while it does not run. */
  readonly ownCertificate: { readonly validTo: number } | undefined;
  readonly endpointUrls: readonly string[];
  /** Both `undefined` while the server does not run. */
  readonly certificates: CertificateDoor | undefined;
  readonly sessions: SessionDoor | undefined;
}

/** A user of the server's settings, who is changed there. */
export interface SettingsUser {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly hasPassword: boolean;
}
