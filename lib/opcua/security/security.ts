/** What watches over certificates and users while a server runs. */
import type { OPCUAServer } from 'node-opcua';
import { type Clock, errorText, type Logger } from '../../model';
import type { Library } from '../library';
import type { FixedSettings } from '../live-settings';
import type { Accounts } from './accounts';
import { createCertificateAlarm } from './certificate-alarm';
import { CertificateLife, EXPIRATION_LIMIT } from './certificate-life';
import { Certificates } from './certificates';
import type { ClientWatch } from './client-events';
import type { Pki } from './pki';
import type { Sessions } from './sessions';
import { TrustWatch } from './trust-watch';

/** Anybody may leave certificates by trying to connect, ms. */
const TRIM_INTERVAL = 60_000;

interface Deps {
  readonly library: Library;
  readonly server: OPCUAServer;
  readonly pki: Pki;
  readonly settings: FixedSettings;
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly clients: ClientWatch;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Security {
  readonly certificates: Certificates;
  /** Looks at once at what is connected, instead of within a minute. */
  look(): Promise<void>;
  /** Idempotent. */
  close(): void;
}

export async function watchSecurity(deps: Deps): Promise<Security> {
  const { pki, accounts, sessions, clients, clock } = deps;
  const alarm = createCertificateAlarm(deps.library, deps.server, EXPIRATION_LIMIT);
  const life = new CertificateLife(deps, {
    onExpires: ({ validTo, thumbprint }) =>
      clients.tell({ type: 'certificate-expires', time: clock.now(), address: '', thumbprint, validTo }),
    onState: (certificate, state) => alarm?.show(certificate, state),
  });
  await life.start();
  const end = (store: Parameters<Sessions['endThoseOf']>[0], thumbprint: string): void =>
    sessions.endThoseOf(store, thumbprint);
  const certificates = new Certificates(pki, clock, life, end);
  await certificates.trimRejected();
  const trim = clock.every(TRIM_INTERVAL, () => {
    certificates.trimRejected().catch((error: unknown) =>
      deps.logger.warn({
        operation: 'certificate',
        event: 'failed',
        reason: 'internal',
        message: `rejected certificates could not be cleared away: ${errorText(error)}`,
      }),
    );
  });
  const trust = new TrustWatch({ ...deps, end });
  const release = accounts.onLessened((names) => sessions.endThoseOfUsers(names));
  return {
    certificates,
    look: () => trust.look(),
    close: () => {
      release();
      trim.cancel();
      life.close();
      trust.close();
    },
  };
}
