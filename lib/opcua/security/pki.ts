/**
 * Keys and certificates of one server: `<pkiFolder>/server` for applications and `<pkiFolder>/user` for people who log
 * in with a certificate, each with `own`, `trusted`, `issuers` and `rejected`.
 */
import { X509Certificate } from 'node:crypto';
import { access, chmod, constants, mkdir, readdir, readFile } from 'node:fs/promises';
import { isIP, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { type Clock, errorText, type Logger } from '../../model';
import { PkiFolderError } from '../errors';
import type { Library } from '../library';
import type { FixedSettings } from '../live-settings';
import { type CertificateManager, createCertificateManager } from './certificate-manager';
import { makeOwnCertificate, requestedHosts } from './own-certificate';

export interface Pki {
  readonly server: CertificateManager;
  readonly user: CertificateManager;
  readonly certificateFile: string;
  readonly folder: string;
  dispose(): Promise<void>;
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
async function inspectCertificate(file: string, settings: FixedSettings, logger: Logger): Promise<void> {
  const certificate = new X509Certificate(await readFile(file));
  const complain = (message: string, cure: string): void =>
    logger.warn({ operation: 'certificate', event: 'diagnostic', reason: 'bad-certificate', message, cure, file });
  const renew =
    'Delete the file and start again for a new one (clients must trust it anew), or put a fitting one there.';
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
export async function openPki(library: Library, settings: FixedSettings, clock: Clock, logger: Logger): Promise<Pki> {
  const folder = settings.pkiFolder;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new PkiFolderError(folder, error);
  }
  const server = createCertificateManager(library, {
    folder: join(folder, 'server'),
    store: 'applications',
    acceptAll: settings.trustAllClients,
  });
  const user = createCertificateManager(library, { folder: join(folder, 'user'), store: 'users', acceptAll: false });
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
      const { subjectAltName } = await makeOwnCertificate(library, server, certificateFile, settings, clock);
      logger.info({
        operation: 'certificate',
        event: 'created',
        message: `made a self-signed certificate for ${subjectAltName ?? ''}`,
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
