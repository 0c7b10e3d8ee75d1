/**
 * What went wrong in a call to ChirpStack, in words for people and in kinds for the program. ChirpStack never answers
 * PERMISSION_DENIED: an object that is gone or not permitted is UNAUTHENTICATED with empty details, a bad token is
 * UNAUTHENTICATED with a text (chirpstack/src/api/auth/validator.rs).
 */
import type { ConnectionErrorKind, LogReason } from '../model';

export type FailureKind =
  /** nothing answers: refused, no route, name unknown, connection lost before anything was sent */
  | 'unreachable'
  /** an answer did not come in time */
  | 'timeout'
  /** the connection broke while the call was under way */
  | 'interrupted'
  /** TLS cannot be established or the certificate is not trusted */
  | 'bad-certificate'
  /** something answers, but it does not speak gRPC */
  | 'not-grpc'
  /** the token is wrong */
  | 'wrong-token'
  /** the object is gone, belongs to another tenant, or the key may not do this */
  | 'not-permitted'
  | 'not-found'
  /** ChirpStack answers with an error of its own */
  | 'refused'
  /** the server does not know this call */
  | 'unimplemented'
  /** the answer cannot be read */
  | 'bad-answer'
  /** given up by ourselves */
  | 'cancelled';

export interface CallFailure {
  readonly kind: FailureKind;
  /** gRPC status code. */
  readonly code: number;
  /** Why, for people. */
  readonly reason: string;
  /** What the user can do. */
  readonly cure: string;
  /** Whether the server provably never saw the call, so that it may be sent again whatever it does. */
  readonly neverSent: boolean;
}

/** A call that failed. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly failure: CallFailure;

  constructor(method: string, failure: CallFailure) {
    super(`${method}: ${failure.reason} ${failure.cure}`.trim());
    this.failure = failure;
  }
}

const CODE_NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

/** Name of a gRPC status code. */
export function codeName(code: number): string {
  return CODE_NAMES[code] ?? String(code);
}

interface Explanation {
  readonly pattern: RegExp;
  readonly kind: FailureKind;
  readonly reason: (address: string) => string;
  readonly cure: string;
}

const CA_CURE = "Give the CA certificate of the server in the connection's settings.";

// Texts of OpenSSL, Node and grpc-js for a connection that cannot be made, most specific first.
const CONNECT_EXPLANATIONS: readonly Explanation[] = [
  {
    pattern: /ECONNREFUSED/,
    kind: 'unreachable',
    reason: (address) => `Nothing listens at ${address} (connection refused).`,
    cure: 'Start ChirpStack, or correct host and port.',
  },
  {
    pattern: /Name resolution failed|ENOTFOUND|EAI_AGAIN/,
    kind: 'unreachable',
    reason: (address) => `The host name of ${address} is not known to the DNS.`,
    cure: 'Correct the host name, or use the IP address.',
  },
  {
    pattern: /EHOSTUNREACH|ENETUNREACH|ENETDOWN|EHOSTDOWN/,
    kind: 'unreachable',
    reason: (address) => `There is no route to ${address}.`,
    cure: 'Check network, VPN and firewall.',
  },
  {
    pattern: /self[- ]signed certificate|unable to (get|verify)|SELF_SIGNED|unknown ca/i,
    kind: 'bad-certificate',
    reason: (address) => `The certificate of ${address} is not signed by an authority that is trusted here.`,
    cure: CA_CURE,
  },
  {
    pattern: /ALTNAME|altnames|Hostname\/IP does not match/i,
    kind: 'bad-certificate',
    reason: (address) => `The certificate of ${address} is made for another host name.`,
    cure: 'Use the host name that the certificate names, or have a new certificate made.',
  },
  {
    pattern: /certificate has expired|CERT_HAS_EXPIRED|not yet valid/i,
    kind: 'bad-certificate',
    reason: (address) => `The certificate of ${address} is not valid at this time.`,
    cure: 'Renew the certificate, and check the clock of this machine.',
  },
  {
    pattern: /wrong version number|packet length too long|unknown protocol|record_header/i,
    kind: 'bad-certificate',
    reason: (address) => `${address} does not speak TLS.`,
    cure: 'Use http:// in the address (ChirpStack itself has no TLS), or the port of the TLS proxy.',
  },
  {
    pattern: /no application protocol/i,
    kind: 'not-grpc',
    reason: (address) => `${address} speaks TLS but not HTTP/2, which gRPC needs.`,
    cure: 'Switch HTTP/2 and gRPC on in the proxy, or use the port of ChirpStack itself.',
  },
  {
    pattern: /SSL|TLS|certificate/,
    kind: 'bad-certificate',
    reason: (address) => `TLS cannot be established with ${address}.`,
    cure: CA_CURE,
  },
  {
    pattern: /Protocol error/i,
    kind: 'not-grpc',
    reason: (address) => `${address} answers, but not with HTTP/2, which gRPC needs.`,
    cure: "Use the port of ChirpStack's API (8080 by default), not of its REST proxy or a web server.",
  },
  {
    pattern: /Failed to connect|ECONNRESET|socket hang up/i,
    kind: 'unreachable',
    reason: (address) => `${address} takes the connection and closes it at once.`,
    cure: 'If the port speaks TLS use https:// in the address; else check the proxy before ChirpStack.',
  },
  {
    pattern: /ETIMEDOUT/,
    kind: 'unreachable',
    reason: (address) => `${address} does not answer.`,
    cure: 'Check network and firewall.',
  },
];

/** grpc-js says so only while a call has no connection yet. */
const NEVER_SENT = /No connection established|Name resolution failed|before call started|Waiting for LB pick/;

/**
 * @param address as people know it, e.g. `http://host:8080`
 * @param token removed from the details, should a server ever echo it
 */
export function classifyFailure(code: number, details: string, address: string, token = ''): CallFailure {
  const text = (token === '' ? details : details.replaceAll(token, '…')).trim().split('\n')[0] ?? '';
  const neverSent = NEVER_SENT.test(details);
  const failure = (kind: FailureKind, reason: string, cure: string): CallFailure => ({
    kind,
    code,
    reason,
    cure,
    neverSent,
  });
  const httpStatus = /Received HTTP status code (\d+)/.exec(details)?.[1];
  if (httpStatus !== undefined && code !== 14 && code !== 16)
    return failure(
      'not-grpc',
      `${address} answers with HTTP status ${httpStatus} instead of gRPC.`,
      'Give the address of ChirpStack itself, or let the proxy pass gRPC on.',
    );
  switch (code) {
    case 14:
      return unavailable(text, httpStatus, address, failure);
    case 4:
      return failure('timeout', `${address} did not answer in time.`, 'Check the load of ChirpStack and the network.');
    case 1:
      // tonic answers CANCELLED when the time the client gave has run out before its own clock says so; a server that
      // shuts down cancels what is under way. What we cancel ourselves never comes here.
      return /timeout/i.test(text)
        ? failure('timeout', `${address} did not answer in time.`, 'Check the load of ChirpStack and the network.')
        : failure('interrupted', `${address} broke off.`, 'It is tried again by itself.');
    case 16:
      return text === ''
        ? failure(
            'not-permitted',
            'ChirpStack does not let this API key at the object, or the object is gone.',
            'Check the id, and that the key belongs to the tenant.',
          )
        : failure(
            'wrong-token',
            `ChirpStack refuses the API token (${text}).`,
            'Make a new API key in ChirpStack and put its token into the connection.',
          );
    case 5:
      return failure('not-found', `ChirpStack does not know it: ${text}`, 'Check the id.');
    case 12:
      return failure(
        'unimplemented',
        'This ChirpStack does not offer the call.',
        'Update ChirpStack to 4.x of the last years.',
      );
    case 13:
    case 2:
      if (/RST_STREAM|ECONNRESET|Connection dropped|GOAWAY|socket hang up|EPIPE|closed with code/i.test(text))
        return failure('interrupted', `The connection to ${address} broke.`, 'It is tried again by itself.');
      return failure('refused', `ChirpStack reports ${codeName(code)}: ${text}`, "See ChirpStack's own log.");
    default:
      return failure('refused', `ChirpStack reports ${codeName(code)}: ${text}`, "See ChirpStack's own log.");
  }
}

function unavailable(
  text: string,
  httpStatus: string | undefined,
  address: string,
  failure: (kind: FailureKind, reason: string, cure: string) => CallFailure,
): CallFailure {
  if (httpStatus !== undefined)
    return failure(
      'unreachable',
      `The proxy at ${address} does not reach ChirpStack (HTTP status ${httpStatus}).`,
      'Start ChirpStack, or correct the proxy.',
    );
  // A call that was under way when the connection went is not a verdict on the server: it may be back already.
  if (/Connection dropped|GOAWAY|ping timeout|keepalive/i.test(text))
    return failure('interrupted', `The connection to ${address} broke.`, 'It is tried again by itself.');
  const known = CONNECT_EXPLANATIONS.find(({ pattern }) => pattern.test(text));
  return known === undefined
    ? failure('unreachable', `${address} cannot be reached: ${text}`, 'Check address, network and ChirpStack.')
    : failure(known.kind, known.reason(address), known.cure);
}

/** The word for the log. */
export function logReasonOf(kind: FailureKind): LogReason {
  switch (kind) {
    case 'unreachable':
    case 'interrupted':
      return 'unreachable';
    case 'timeout':
      return 'timeout';
    case 'bad-certificate':
      return 'bad-certificate';
    case 'wrong-token':
      return 'unauthenticated';
    case 'not-permitted':
      return 'not-permitted';
    case 'not-found':
      return 'not-found';
    case 'cancelled':
      return 'shutdown';
    default:
      return 'bad-answer';
  }
}

/** The word for those who count. */
export function errorKindOf(kind: FailureKind): ConnectionErrorKind {
  switch (kind) {
    case 'unreachable':
    case 'interrupted':
      return 'network';
    case 'timeout':
      return 'timeout';
    case 'bad-certificate':
      return 'certificate';
    case 'wrong-token':
      return 'authentication';
    case 'not-permitted':
    case 'not-found':
      return 'permission';
    case 'refused':
      return 'server';
    case 'not-grpc':
    case 'unimplemented':
    case 'bad-answer':
      return 'protocol';
    case 'cancelled':
      return 'internal';
  }
}

/** Whether the object asked for is gone (or was never ours). */
export function isGone(failure: CallFailure): boolean {
  return failure.kind === 'not-found' || failure.kind === 'not-permitted';
}

/** The failure inside anything thrown, if it is one of a call. */
export function failureOf(error: unknown): CallFailure | undefined {
  return error instanceof CallError ? error.failure : undefined;
}
