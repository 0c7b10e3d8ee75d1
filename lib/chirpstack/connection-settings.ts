/**
 * Settings of a connection to ChirpStack's API, parsed once at the border. One address means the same for every kind
 * of call: unary calls, event streams and probes all use what is parsed here.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  type ApplicationId,
  FaultCollector,
  InvalidInputError,
  isBlank,
  parseApplicationId,
  parseTenantId,
  REDACTED,
  type TenantId,
} from '../model';

/** How to reach one ChirpStack. Made only by {@link parseConnectionSettings}. */
export interface ConnectionSettings {
  /** `host` is a DNS name or an IP address, IPv6 without brackets. */
  readonly address: { readonly host: string; readonly port: number; readonly tls: boolean };
  /** API key of ChirpStack (a JWT). A secret: never in logs, errors or messages. */
  readonly token: string;
  /** Serve all applications of this tenant. */
  readonly tenantId?: TenantId;
  /** Serve only these applications; empty for all that the tenant or the key gives. */
  readonly applicationIds: readonly ApplicationId[];
  /** PEM: one or more certificates that are trusted besides or instead of the machine's own. */
  readonly caCertificate?: string;
  /** Longest time a unary call may take, ms. */
  readonly callTimeout: number;
}

/** What a user gave: fields of a form or variables of the environment, all still unknown. */
export interface ConnectionInput {
  readonly url: unknown;
  readonly token: unknown;
  readonly tenantId?: unknown;
  /** Comma-separated text or an array. */
  readonly applicationIds?: unknown;
  readonly caCertificate?: unknown;
  /** s, as people give it; fractions allowed */
  readonly callTimeout?: unknown;
}

/** Port of ChirpStack's `[api] bind` when none is given with http. */
export const DEFAULT_PORT = 8080;
/** Port of the TLS proxy in front of ChirpStack when none is given with https. */
export const DEFAULT_TLS_PORT = 443;
/** ms */
export const DEFAULT_CALL_TIMEOUT = 10_000;
/** s */
const CALL_TIMEOUT_RANGE = { min: 0.1, max: 120 } as const;
const MAX_TOKEN_LENGTH = 8_192;

const URL_RULE = 'it must be http://host[:port] or https://host[:port], without path, query or user name';
const URL_CURE = 'Give the address of ChirpStack itself, e.g. http://chirpstack.local:8080.';
const HOST_LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

/**
 * Parses the settings of a connection.
 * @param fieldNames how the user knows each field, e.g. `{url: 'CHIRPSTACK_URL'}`; used in the faults
 * @throws InvalidInputError with every fault; the token is never shown in it
 */
export function parseConnectionSettings(
  input: ConnectionInput,
  fieldNames: Partial<Record<keyof ConnectionInput, string>> = {},
): ConnectionSettings {
  const name = (field: keyof ConnectionInput): string => fieldNames[field] ?? field;
  const faults = new FaultCollector();

  const address = parseAddress(input.url, name('url'), faults);
  const token = parseToken(input.token, name('token'), faults);
  const tenantId = isBlank(input.tenantId)
    ? undefined
    : faults.attempt(() => parseTenantId(input.tenantId, name('tenantId')));
  const applicationIds = parseApplications(input.applicationIds, name('applicationIds'), faults);
  const caCertificate = parseCertificates(input.caCertificate, name('caCertificate'), faults);
  const callTimeout = parseTimeout(input.callTimeout, name('callTimeout'), faults);

  if (caCertificate !== undefined && address !== undefined && !address.tls)
    faults.add(
      name('caCertificate'),
      '(a certificate)',
      'a CA certificate has an effect only with https',
      `Use https:// in ${name('url')}, or leave ${name('caCertificate')} empty.`,
    );
  if (faults.faults.length > 0 || address === undefined || token === undefined || callTimeout === undefined)
    throw new InvalidInputError(faults.faults);
  return {
    address,
    token,
    ...(tenantId === undefined ? {} : { tenantId }),
    applicationIds,
    ...(caCertificate === undefined ? {} : { caCertificate }),
    callTimeout,
  };
}

/** `http://host:port`, for people: shows how the address was understood. */
export function addressText(address: ConnectionSettings['address']): string {
  const host = isIP(address.host) === 6 ? `[${address.host}]` : address.host;
  return `${address.tls ? 'https' : 'http'}://${host}:${address.port}`;
}

/** The address as grpc-js wants it (gRPC name syntax, doc/naming.md). */
export function grpcTarget(address: ConnectionSettings['address']): string {
  switch (isIP(address.host)) {
    case 6:
      return `ipv6:[${address.host}]:${address.port}`;
    case 4:
      return `ipv4:${address.host}:${address.port}`;
    default:
      return `dns:${address.host}:${address.port}`;
  }
}

function parseAddress(
  value: unknown,
  field: string,
  faults: FaultCollector,
): ConnectionSettings['address'] | undefined {
  const refuse = (rule: string, cure = URL_CURE, shown: unknown = value): undefined => {
    faults.add(field, shown, rule, cure);
    return undefined;
  };
  if (isBlank(value)) return refuse('it is required');
  if (typeof value !== 'string') return refuse(URL_RULE);
  const text = value.trim();
  const match = /^(https?):\/\/([^/?#]*)(\/?)$/i.exec(text);
  // A password in the address must not reach a log: show nothing of it.
  if (text.includes('@')) return refuse(URL_RULE, `${URL_CURE} The API token has its own field.`, REDACTED);
  if (match === null) return refuse(URL_RULE);
  const tls = match[1]?.toLowerCase() === 'https';
  const authority = match[2] ?? '';
  const parts = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(authority);
  if (parts === null) return refuse(URL_RULE, 'Put an IPv6 address into brackets, e.g. http://[fd00::1]:8080.');
  const host = (parts[1] ?? parts[2] ?? '').toLowerCase();
  if (parts[1] !== undefined ? isIP(host) !== 6 : !isHostName(host))
    return refuse('the host must be a DNS name, an IPv4 address or an IPv6 address in brackets');
  const portText = parts[3];
  const port = portText === undefined ? (tls ? DEFAULT_TLS_PORT : DEFAULT_PORT) : Number(portText);
  if ((portText !== undefined && !/^\d{1,5}$/.test(portText)) || port < 1 || port > 65_535)
    return refuse('the port must be a whole number from 1 to 65535');
  return { host, port, tls };
}

function isHostName(host: string): boolean {
  if (isIP(host) === 4) return true;
  // All digits and dots but no IPv4 address: a typing error, not a name.
  if (/^[\d.]*$/.test(host) || host.length > 253) return false;
  return host
    .replace(/\.$/, '')
    .split('.')
    .every((label) => HOST_LABEL.test(label));
}

function parseToken(value: unknown, field: string, faults: FaultCollector): string | undefined {
  const cure = 'Make an API key in ChirpStack (tenant or global) and paste its token.';
  if (isBlank(value)) {
    faults.add(field, '', 'it is required', cure);
    return undefined;
  }
  // People copy the whole header; a line end from a file would make the metadata invalid.
  const token = typeof value === 'string' ? value.trim().replace(/^Bearer\s+/i, '') : '';
  if (!/^[\u0021-\u007e]+$/.test(token) || token.length > MAX_TOKEN_LENGTH) {
    faults.add(field, REDACTED, `a token has 1 to ${MAX_TOKEN_LENGTH} printable ASCII characters and no blanks`, cure);
    return undefined;
  }
  return token;
}

function parseApplications(value: unknown, field: string, faults: FaultCollector): ApplicationId[] {
  if (isBlank(value)) return [];
  if (typeof value !== 'string' && !Array.isArray(value)) {
    faults.add(field, value, 'it must be a comma-separated list of application ids', 'Separate the ids by commas.');
    return [];
  }
  const items: unknown[] = typeof value === 'string' ? value.split(',') : value;
  const ids = items
    .filter((item) => !isBlank(item))
    .map((item) => faults.attempt(() => parseApplicationId(item, field)))
    .filter((id) => id !== undefined);
  return [...new Set(ids)];
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function parseCertificates(value: unknown, field: string, faults: FaultCollector): string | undefined {
  if (isBlank(value)) return undefined;
  const cure = "Give the PEM file of the authority that signed the server's certificate.";
  // A private key pasted by mistake must not be shown.
  const blocks = typeof value === 'string' ? value.match(PEM_BLOCK) : null;
  if (blocks === null) {
    faults.add(field, '(not a PEM certificate)', 'it must hold at least one PEM block CERTIFICATE', cure);
    return undefined;
  }
  if (blocks.every(isCertificate)) return blocks.join('\n');
  faults.add(field, '(a damaged PEM block)', 'each PEM block must be a certificate', cure);
  return undefined;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function parseTimeout(value: unknown, field: string, faults: FaultCollector): number | undefined {
  if (isBlank(value)) return DEFAULT_CALL_TIMEOUT;
  const seconds = typeof value === 'string' ? Number(value) : value;
  if (typeof seconds === 'number' && seconds >= CALL_TIMEOUT_RANGE.min && seconds <= CALL_TIMEOUT_RANGE.max)
    return Math.round(seconds * 1_000);
  faults.add(
    field,
    value,
    `it must be a number of seconds from ${CALL_TIMEOUT_RANGE.min} to ${CALL_TIMEOUT_RANGE.max}`,
    `Leave it empty for ${DEFAULT_CALL_TIMEOUT / 1_000}.`,
  );
  return undefined;
}
