/** What the program tells its user once everything answers. */
import type { GatewayEnvironment } from './environment';
import { DASHBOARD_PATH, EDITOR_PATH } from './node-red-settings';

export interface BannerFacts {
  readonly version: string;
  readonly environment: GatewayEnvironment;
  /** Empty if the OPC UA server does not answer yet. */
  readonly endpointUrls: readonly string[];
  readonly user: string;
  /** Only at the first start, and only if it was generated. */
  readonly generatedPassword: string | undefined;
}

/** The address to type into a browser. */
export function webAddress(http: { readonly host: string; readonly port: number }): string {
  const anywhere = http.host === '0.0.0.0' || http.host === '::';
  const host = anywhere ? 'localhost' : http.host.includes(':') ? `[${http.host.replace(/[[\]]/g, '')}]` : http.host;
  return `http://${host}:${http.port}`;
}

export function bannerLines(facts: BannerFacts): string[] {
  const { environment } = facts;
  const web = webAddress(environment.http);
  const rows: [string, string][] = [
    [
      'OPC UA',
      facts.endpointUrls.length > 0 ? facts.endpointUrls.join('  ') : 'not listening yet: the log above says why',
    ],
    ['Dashboard', `${web}${DASHBOARD_PATH}`],
    ['Editor', environment.readOnly ? 'off (GATEWAY_READ_ONLY)' : `${web}${EDITOR_PATH}`],
    ['User', facts.user],
  ];
  if (facts.generatedPassword !== undefined)
    rows.push(['Password', `${facts.generatedPassword}   (shown only this once, kept as a hash)`]);
  rows.push([
    'ChirpStack',
    environment.chirpstack?.url ??
      `simulator with ${environment.simulator.devices} devices (set CHIRPSTACK_URL for a real one)`,
  ]);
  rows.push(['Data', environment.dataFolder]);
  return [
    '',
    `Lorua gateway ${facts.version} is running`,
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(10)} ${value}`),
    '',
  ];
}
