/** Our settings in the words of node-opcua. */
import { isIPv6 } from 'node:net';
import type { OPCUAServer, OPCUAServerOptions } from 'node-opcua';
import { endpointText, type SecurityEndpoint } from './endpoints';
import { HISTORY_PROFILES } from './history/capabilities';
import type { Library } from './library';
import type { LiveSettings } from './live-settings';
import { engineConnections, engineLimits, operationLimits } from './protection/engine-limits';
import { negotiate } from './protection/transport';
import type { Pki } from './security/pki';

const PRODUCT_URI = 'urn:lorua:gateway:product';

/** Facets that are met (Part 7); the library's own list claims more. */
const PROFILES = [
  'http://opcfoundation.org/UA-Profile/Server/EmbeddedUA2017',
  'http://opcfoundation.org/UA-Profile/Server/DataAccess',
  'http://opcfoundation.org/UA-Profile/Server/StandardEventSubscription',
  'http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary',
  ...HISTORY_PROFILES,
];

function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

function isWildcard(host: string): boolean {
  return /^[0:.]+$/.test(host);
}

export function serverOptions(library: Library, live: LiveSettings, pki: Pki, version: string): OPCUAServerOptions {
  const { MessageSecurityMode, SecurityPolicy } = library;
  const settings = live.fixed;
  const policies = new Set(settings.endpoints.map(({ policy }) => SecurityPolicy[policy]));
  // Over a channel without security, passwords are still encrypted, with a policy that must be known for that.
  if (policies.has(SecurityPolicy.None)) policies.add(SecurityPolicy.Basic256Sha256);
  const modes = new Set(settings.endpoints.map(({ mode }) => MessageSecurityMode[mode]));
  const { host, advertisedHosts } = settings;
  return {
    port: settings.port,
    ...(host === undefined ? {} : { host }),
    // A server that listens on one address is not reached by the name of the machine.
    ...(host === undefined || isWildcard(host) ? {} : { hostname: urlHost(host) }),
    alternateHostname: advertisedHosts.filter(({ port }) => port === undefined).map((item) => urlHost(item.host)),
    advertisedEndpoints: advertisedHosts
      .filter(({ port }) => port !== undefined)
      .map((item) => `opc.tcp://${urlHost(item.host)}:${item.port}`),
    securityPolicies: [...policies],
    securityModes: [...modes],
    // Clients look for endpoints over an unsecured channel; without a None endpoint it can do nothing else.
    disableDiscovery: false,
    allowAnonymous: settings.allowAnonymous,
    // Rights are set for every namespace; whatever is left without them is nobody's.
    unresolvedPermissionPolicy: 'deny',
    serverCertificateManager: pki.server,
    userCertificateManager: pki.user,
    certificateFile: pki.certificateFile,
    registerServerMethod: library.RegisterServerMethod.HIDDEN,
    nodesets: [library.nodesets.standard],
    // Told to SecurityAdmins alone: so say the types of audit events by themselves.
    isAuditing: true,
    serverInfo: {
      applicationUri: settings.applicationUri,
      productUri: PRODUCT_URI,
      applicationName: { text: settings.applicationName, locale: 'en' },
    },
    buildInfo: {
      productName: 'Lorua',
      productUri: PRODUCT_URI,
      manufacturerName: 'Lorua',
      softwareVersion: version,
      buildNumber: version,
    },
    maxConnectionsPerEndpoint: engineConnections(live.current),
    serverCapabilities: {
      ...engineLimits(live.current),
      // 0 = each change is delivered; anything else would fold changes that follow closely.
      minSupportedSampleRate: 0,
      maxBrowseContinuationPoints: 100,
      // What the library gives at most; it claims more.
      maxMonitoredItemsQueueSize: 5_000,
      // Continuation points of histories are not kept, so there is no limit to them.
      maxHistoryContinuationPoints: 0,
      localeIdArray: ['en'],
      serverProfileArray: PROFILES,
      operationLimits: operationLimits(live.current),
    },
    transportSettings: { adjustTransportLimits: (hello) => negotiate(hello, live.current) },
  };
}

/**
 * Takes back endpoints that nobody asked for: the library offers every policy with every mode, and policies that are
 * only there to encrypt passwords. Names the ways to log in by their endpoint: the library numbers them, so that
 * clients which know an endpoint could not log in any more once another one came or went.
 */
export function withdrawEndpoints(library: Library, server: OPCUAServer, wanted: readonly SecurityEndpoint[]): void {
  const { MessageSecurityMode } = library;
  const names = new Set(wanted.map(endpointText));
  for (const endpoint of server.endpoints) {
    const descriptions = endpoint.endpointDescriptions();
    const kept = descriptions.filter((description) => {
      // Only for discovery; no session can be made with it.
      if ('restricted' in description && description.restricted === true) return true;
      const policy = description.securityPolicyUri?.split('#')[1] ?? 'None';
      const name = policy === 'None' ? 'None' : `${policy}/${MessageSecurityMode[description.securityMode]}`;
      for (const token of description.userIdentityTokens ?? [])
        token.policyId = `${token.policyId?.replace(/_\d+$/, '')}/${name}`;
      return names.has(name);
    });
    descriptions.splice(0, descriptions.length, ...kept);
  }
}
