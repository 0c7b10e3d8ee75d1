/** Hosts that clients are told, as a user writes them. */
import type { SettingsReader } from './settings-reader';

/** A host that clients use to reach the server, where it differs from the machine's own name (NAT, containers). */
export interface AdvertisedHost {
  /** Host name or IP address. */
  readonly host: string;
  /** Port that clients use; absent = the port the server listens on. */
  readonly port?: number;
}

const HOST = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?$/i;
const IPV6 = /^[0-9a-f:.]*:[0-9a-f:.]*$/i;
const HOST_WITH_PORT = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;

/** Whether a text is a host name or an IP address. */
export function isHost(text: string): boolean {
  return HOST.test(text) || IPV6.test(text);
}

function parseAdvertisedHost(item: unknown, reader: SettingsReader): AdvertisedHost[] {
  if (typeof item === 'object' && item !== null && 'host' in item && typeof item.host === 'string') {
    const { port: given = '' } = { port: '', ...item } as { port?: unknown };
    const port = typeof given === 'number' || (typeof given === 'string' && given !== '') ? `:${given}` : '';
    const host = item.host.includes(':') ? `[${item.host.replace(/^\[|\]$/g, '')}]` : item.host;
    return parseAdvertisedHost(`${host}${port}`, reader);
  }
  const text = typeof item === 'string' ? item.trim().replace(/^opc\.tcp:\/\//i, '') : '';
  // A bare IPv6 address has colons of its own and no port.
  if (IPV6.test(text) && text.split(':').length > 2) return [{ host: text }];
  const match = HOST_WITH_PORT.exec(text);
  const host = match?.[1]?.replace(/^\[|\]$/g, '') ?? '';
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (isHost(host) && (port === undefined || (port >= 1 && port <= 65_535)))
    return [{ host, ...(port === undefined ? {} : { port }) }];
  reader.faults.add(
    reader.name('advertisedHosts'),
    item,
    'it must be a host name or IP address, with :port where it differs',
    'Write what clients type to reach this server, e.g. gateway.plant.example or 192.0.2.7:4841.',
  );
  return [];
}

export function parseAdvertisedHosts(reader: SettingsReader): readonly AdvertisedHost[] {
  const raw = reader.raw('advertisedHosts');
  if (raw === undefined) return [];
  const items: readonly unknown[] = typeof raw === 'string' ? raw.split(',') : Array.isArray(raw) ? raw : [raw];
  const hosts = items
    .filter((item) => typeof item !== 'string' || item.trim() !== '')
    .flatMap((item) => parseAdvertisedHost(item, reader));
  return [...new Map(hosts.map((host) => [`${host.host.toLowerCase()}:${host.port ?? ''}`, host])).values()];
}
