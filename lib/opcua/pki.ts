/**
 * Keys and certificates of one server: `<pkiFolder>/server` for applications and `<pkiFolder>/user` for people who log
 * in with a certificate, each with `own`, `trusted`, `issuers` and `rejected`.
 */
import { X509Certificate } from 'node:crypto';
import { access, chmod, constants, mkdir, readdir, readFile } from 'node:fs/promises';
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { errorText, type Logger } from '../model';
import { PkiFolderError } from './errors';
import type { Library } from './library';
import type { ServerSettings } from './settings';

type CertificateManager = InstanceType<Library['OPCUACertificateManager']>;

export interface Pki {
  readonly server: CertificateManager;
  readonly user: CertificateManager;
  readonly certificateFile: string;
  readonly folder: string;
  dispose(): Promise<void>;
}

const VALIDITY_DAYS = 3_650;

/** What the certificate must name (Part 4 §6.1.3): every name and address a client may use. */
export function certificateHosts(settings: ServerSettings): { dns: string[]; ip: string[] } {
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

function requestedHosts(settings: ServerSettings): string[] {
  return [
    ...settings.advertisedHosts.map(({ host }) => host),
    ...(settings.host === undefined || /^[0:.]+$/.test(settings.host) ? [] : [settings.host]),
  ];
}

/** Private to the user that runs the program; what others may need (the certificate) is public by protocol. */
async function makePrivate(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await makePrivate(path);
    // A lock of the library may be gone by now.
    else if (entry.isFile()) await chmod(path, 0o600).catch(() => undefined);
  }
}

/** Says what is wrong with a certificate that was made earlier or by somebody else. */
async function inspectCertificate(file: string, settings: ServerSettings, logger: Logger): Promise<void> {
  const certificate = new X509Certificate(await readFile(file));
  const complain = (message: string, cure: string): void =>
    logger.warn({ operation: 'certificate', event: 'diagnostic', reason: 'bad-certificate', message, cure, file });
  const renew =
    'Delete the file and start again for a new one (clients must trust it anew), or put a fitting one there.';
  if (Date.parse(certificate.validTo) < Date.now())
    complain(`the certificate of the OPC UA server expired on ${certificate.validTo}`, renew);
  const names = certificate.subjectAltName ?? '';
  if (!names.includes(`URI:${settings.applicationUri}`))
    complain(`the certificate of the OPC UA server does not carry the URI ${settings.applicationUri}`, renew);
  const isNamed = (host: string): boolean =>
    (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
  const missing = requestedHosts(settings).filter((host) => !isIPv6(host) && !isNamed(host));
  if (missing.length > 0) complain(`the certificate of the OPC UA server does not name ${missing.join(', ')}`, renew);
}

/**
 * Opens the folder, making what is missing: key, self-signed certificate, trust lists.
 * @throws PkiFolderError
 */
export async function openPki(library: Library, settings: ServerSettings, logger: Logger): Promise<Pki> {
  const folder = settings.pkiFolder;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new PkiFolderError(folder, error);
  }
  const open = (name: string, acceptAll: boolean): CertificateManager =>
    new library.OPCUACertificateManager({
      rootFolder: join(folder, name),
      automaticallyAcceptUnknownCertificate: acceptAll,
    });
  const server = open('server', settings.trustAllClients);
  const user = open('user', false);
  const certificateFile = join(server.rootDir, 'own', 'certs', 'certificate.pem');
  const dispose = async (): Promise<void> => {
    await Promise.allSettled([server.dispose(), user.dispose()]);
  };
  try {
    await server.initialize();
    await user.initialize();
    if (
      await access(certificateFile).then(
        () => false,
        () => true,
      )
    ) {
      const { dns, ip } = certificateHosts(settings);
      await server.createSelfSignedCertificate({
        applicationUri: settings.applicationUri,
        dns,
        ip,
        subject: library.makeSubject(settings.applicationName, hostname()),
        startDate: new Date(),
        validity: VALIDITY_DAYS,
        outputFile: certificateFile,
      });
      logger.info({
        operation: 'certificate',
        event: 'created',
        message: `made a self-signed certificate for ${[...dns, ...ip].join(', ')}`,
        file: certificateFile,
      });
    } else
      await inspectCertificate(certificateFile, settings, logger).catch((error: unknown) =>
        logger.warn({
          operation: 'certificate',
          event: 'failed',
          reason: 'bad-certificate',
          message: `the certificate of the OPC UA server cannot be read: ${errorText(error)}`,
          file: certificateFile,
        }),
      );
    await makePrivate(folder);
  } catch (error) {
    await dispose();
    throw new PkiFolderError(folder, error);
  }
  return { server, user, certificateFile, folder, dispose };
}
