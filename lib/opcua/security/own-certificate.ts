/**
 * The certificate by which clients know this server. One that the gateway made is renewed before it ends, while the
 * server runs; one that somebody else put there is never replaced.
 */
import { X509Certificate } from 'node:crypto';
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIPv4, isIPv6 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '../../model';
import type { Library } from '../library';
import type { FixedSettings } from '../live-settings';

type CertificateManager = InstanceType<Library['OPCUACertificateManager']>;

const VALIDITY_DAYS = 3_650;
/** A client whose clock is behind would refuse a certificate that has just been made, ms. */
const CLOCK_TOLERANCE = 24 * 3_600_000;
/** Beside the certificate: the thumbprint (SHA-256) of the one that the gateway made. */
const MADE_FILE = 'made-by-gateway.txt';

/** What the certificate must name (Part 4 §6.1.3): every name and address a client may use. */
export function certificateHosts(settings: FixedSettings): { dns: string[]; ip: string[] } {
  const dns = new Set(['localhost', hostname().toLowerCase()]);
  const ip = new Set(['127.0.0.1']);
  for (const addresses of Object.values(networkInterfaces()))
    for (const { address, family } of addresses ?? []) if (family === 'IPv4') ip.add(address);
  for (const host of requestedHosts(settings)) {
    if (isIPv4(host)) ip.add(host);
    // The library writes IPv4 addresses only; a client that uses an IPv6 address must accept another name.
    else if (!isIPv6(host)) dns.add(host.toLowerCase());
  }
  return { dns: [...dns].sort(), ip: [...ip].sort() };
}

/** Names and addresses that the settings name. */
export function requestedHosts(settings: FixedSettings): string[] {
  return [
    ...settings.advertisedHosts.map(({ host }) => host),
    ...(settings.host === undefined || /^[0:.]+$/.test(settings.host) ? [] : [settings.host]),
  ];
}

/** Puts a new self-signed certificate of the key that is there in place, at once as a whole. */
export async function makeOwnCertificate(
  library: Library,
  manager: CertificateManager,
  file: string,
  settings: FixedSettings,
  clock: Clock,
): Promise<X509Certificate> {
  const { dns, ip } = certificateHosts(settings);
  const outputFile = `${file}.new`;
  try {
    await manager.createSelfSignedCertificate({
      applicationUri: settings.applicationUri,
      dns,
      ip,
      subject: library.makeSubject(settings.applicationName, hostname()),
      startDate: new Date(clock.now() - CLOCK_TOLERANCE),
      validity: VALIDITY_DAYS,
      outputFile,
    });
    await chmod(outputFile, 0o600);
    const certificate = new X509Certificate(await readFile(outputFile));
    await writeFile(join(dirname(file), MADE_FILE), `${certificate.fingerprint256}\n`, { mode: 0o600 });
    await rename(outputFile, file);
    return certificate;
  } finally {
    await rm(outputFile, { force: true });
  }
}

/** Whether the gateway made a certificate: self-signed, and the one that was noted, if any was. */
export async function isOwnWork(file: string, certificate: X509Certificate): Promise<boolean> {
  if (certificate.issuer !== certificate.subject || !certificate.verify(certificate.publicKey)) return false;
  const noted = await readFile(join(dirname(file), MADE_FILE), 'utf8').catch(() => undefined);
  // Earlier versions noted nothing.
  return noted === undefined || noted.trim() === certificate.fingerprint256;
}
