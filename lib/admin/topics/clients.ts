/** Whom the OPC UA server trusts, and who is connected: `certificates`, `sessions`. */
import { z } from 'zod';
import { display, InvalidInputError } from '../../model';
import { type Acts, ADMINISTRATORS } from '../acts';
import { payloadFaults } from '../payload';
import {
  CERTIFICATE_STORES,
  type CertificateDoor,
  type CertificateStore,
  type KnownCertificate,
  type OpcuaDoors,
  type OpenSession,
  type SessionDoor,
} from '../server-doors';
import { question, type UseCases } from '../use-cases';

const nothing = z.strictObject({});
const certificatePayload = z.strictObject({
  /** SHA-1 in hex, also with colons. */
  thumbprint: z.string().trim().min(1).max(128),
  /** Only needed where the certificate is in both. */
  store: z.enum(CERTIFICATE_STORES).optional(),
});
const sessionPayload = z.strictObject({ id: z.string().trim().min(1).max(128) });

export function clientTopics(opcua: () => OpcuaDoors | undefined, acts: Acts): UseCases {
  const certificates = (topic: string): CertificateDoor => opcua()?.certificates ?? noServer(topic);
  const sessions = (topic: string): SessionDoor => opcua()?.sessions ?? noServer(topic);
  const onCertificate = (
    topic: string,
    run: (door: CertificateDoor, thumbprint: string, store: CertificateStore | undefined) => Promise<KnownCertificate>,
  ): UseCases[number] =>
    acts.useCase({
      ...CERTIFICATE_ACT,
      topic,
      schema: certificatePayload,
      run: ({ thumbprint, store }) => {
        const door = certificates(topic);
        return payloadFaults(() => run(door, thumbprint, store));
      },
    });
  return [
    acts.restrictedQuestion('certificates.list', nothing, async () => ({
      rows: await certificates('certificates.list').list(),
    })),
    onCertificate('certificates.trust', (door, thumbprint, store) => door.trust(thumbprint, store)),
    onCertificate('certificates.reject', (door, thumbprint, store) => door.reject(thumbprint, store)),
    onCertificate('certificates.remove', (door, thumbprint, store) => door.remove(thumbprint, store)),
    acts.useCase({
      ...CERTIFICATE_ACT,
      topic: 'certificates.renew',
      schema: nothing,
      run: () => certificates('certificates.renew').renew(),
    }),
    question('sessions.list', nothing, () => ({ rows: sessions('sessions.list').list() })),
    acts.useCase({
      topic: 'sessions.close',
      schema: sessionPayload,
      about: ['id'],
      operation: 'session',
      roles: ADMINISTRATORS,
      run: ({ id }) => {
        const door = sessions('sessions.close');
        return payloadFaults(async () => door.close(id));
      },
      details: ({ id, session, user, address }: OpenSession) => ({ id, session, sessionUser: user, address }),
    }),
  ];
}

/** What acts on certificates have in common. */
const CERTIFICATE_ACT = {
  about: ['thumbprint', 'store'],
  operation: 'certificate' as const,
  roles: ADMINISTRATORS,
  details: ({ thumbprint, store, subject, state, validTo }: KnownCertificate) => ({
    thumbprint,
    store,
    subject,
    state,
    validTo,
  }),
};

function noServer(topic: string): never {
  throw new InvalidInputError([
    {
      field: 'topic',
      value: display(topic),
      rule: 'it is for an OPC UA server that runs',
      cure: 'Deploy an opcua-gateway-server with this gateway-database, and look at its status.',
    },
  ]);
}
