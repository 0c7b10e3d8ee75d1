interface ServerProperties {
  name: string;
  database: string;
  port: string;
  host: string;
  advertisedHosts: string;
  applicationName: string;
  applicationUri: string;
  endpoints: string;
  allowAnonymous: boolean | string;
  trustAllClients: boolean | string;
  pkiFolder: string;
  maxSessions: string;
  reservedForAdministrators: string;
  maxConnectionsPerEndpoint: string;
  connectionsPerAddressPerMinute: string;
  maxSubscriptionsPerSession: string;
  maxMonitoredItems: string;
  maxMonitoredItemsPerSubscription: string;
  maxNodesPerCall: string;
  maxMonitoredItemsPerCall: string;
  maxNodesPerHistoryRead: string;
  maxHistoryValuesPerNode: string;
  chunkSize: string;
  maxMessageSize: string;
  sourceTime: string;
  heartbeatSeconds: string;
  removedNodesKeptHours: string;
  samplingRewrite: boolean | string;
}

const HOST = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?$/i;
const IPV6 = /^[0-9a-f:.]*:[0-9a-f:.]*$/i;

/** A host name or address, without port. */
function isHostName(text: string): boolean {
  return HOST.test(text) || IPV6.test(text);
}

function hostRule(): FieldRule {
  return fieldRule('host', {}, (text) => text === '' || isHostName(text));
}

function hostsRule(): FieldRule {
  const isAdvertised = (part: string): boolean => {
    const text = part.trim().replace(/^opc\.tcp:\/\//i, '');
    if (text === '') return true;
    // A bare IPv6 address has colons of its own and no port.
    if (IPV6.test(text) && text.split(':').length > 2) return true;
    const [, host = '', port] = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
    return isHostName(host.replace(/^\[|\]$/g, '')) && (port === undefined || isNumberIn(port, 1, 65_535));
  };
  return fieldRule('hosts', {}, (text) => text.split(',').every(isAdvertised));
}

function applicationNameRule(): FieldRule {
  return fieldRule(
    'applicationName',
    {},
    (text) => text.length <= 64 && !/^urn:/i.test(text) && !/[/,=+<>#;"\\]/.test(text),
  );
}

function uriRule(): FieldRule {
  return fieldRule('uri', {}, (text) => text === '' || (/^[a-z][a-z0-9+.-]*:\S+$/i.test(text) && text.length <= 255));
}

function sourceTimeRule(): FieldRule {
  return fieldRule('sourceTime', {}, (text) => /^(true|heartbeat)?$/.test(text));
}

RED.nodes.registerType<ServerProperties & import('node-red').EditorNodeProperties, { user: string; password: string }>(
  'opcua-gateway-server',
  {
    category: 'lorua',
    color: '#C7D8C6',
    defaults: {
      name: { value: '' },
      database: { value: '', type: 'gateway-database', required: true },
      port: { value: '4840', validate: integerRule(0, 65_535) },
      host: { value: '', validate: hostRule() },
      advertisedHosts: { value: '', validate: hostsRule() },
      applicationName: { value: 'Lorua', validate: applicationNameRule() },
      applicationUri: { value: '', validate: uriRule() },
      endpoints: { value: '', validate: endpointsRule() },
      allowAnonymous: { value: false, validate: switchRule() },
      trustAllClients: { value: false, validate: switchRule() },
      pkiFolder: { value: 'pki' },
      maxSessions: { value: '50', validate: integerRule(1, 4_096) },
      reservedForAdministrators: { value: '', validate: integerRule(0, 16) },
      maxConnectionsPerEndpoint: { value: '', validate: integerRule(2, 10_000) },
      connectionsPerAddressPerMinute: { value: '', validate: integerRule(0, 1_000_000) },
      maxSubscriptionsPerSession: { value: '', validate: integerRule(1, 1_000) },
      maxMonitoredItems: { value: '', validate: integerRule(1, 10_000_000) },
      maxMonitoredItemsPerSubscription: { value: '', validate: integerRule(1, 10_000_000) },
      maxNodesPerCall: { value: '', validate: integerRule(1, 1_000_000) },
      maxMonitoredItemsPerCall: { value: '', validate: integerRule(1, 1_000_000) },
      maxNodesPerHistoryRead: { value: '', validate: integerRule(1, 100_000) },
      maxHistoryValuesPerNode: { value: '', validate: integerRule(1, 100_000) },
      chunkSize: { value: '', validate: integerRule(8_192, 524_288) },
      maxMessageSize: { value: '', validate: integerRule(65_536, 268_435_456) },
      sourceTime: { value: 'true', validate: sourceTimeRule() },
      heartbeatSeconds: { value: '', validate: integerRule(1, 86_400) },
      removedNodesKeptHours: { value: '', validate: integerRule(0, 8_760) },
      samplingRewrite: { value: true, validate: switchRule() },
    },
    credentials: { user: { type: 'text' }, password: { type: 'password' } },
    inputs: 1,
    outputs: 1,
    icon: 'opcua-gateway-server.svg',
    paletteLabel() {
      return this._('opcua-gateway-server.palette');
    },
    inputLabels() {
      return this._('opcua-gateway-server.input.readings');
    },
    outputLabels() {
      return this._('opcua-gateway-server.output.clientEvents');
    },
    label() {
      return this.name || this._('opcua-gateway-server.palette');
    },
    labelStyle() {
      return this.name ? 'node_label_italic' : '';
    },
    oneditprepare() {
      const field = (property: keyof ServerProperties): JQuery => $(`#node-input-${property}`);
      const [endpoints, anonymous, trustAll] = [field('endpoints'), field('allowAnonymous'), field('trustAllClients')];
      showSwitch(anonymous, this.allowAnonymous, false);
      showSwitch(trustAll, this.trustAllClients, false);
      showSwitch(field('samplingRewrite'), this.samplingRewrite, true);
      showChoice(field('sourceTime'), this.sourceTime, 'true');
      fillEndpoints($('#opcua-gateway-server-endpoints'), endpoints, {
        secure: this._('opcua-gateway-server.endpoints.secure'),
        old: this._('opcua-gateway-server.endpoints.old'),
        asText: this._('opcua-gateway-server.endpoints.asText'),
        asList: this._('opcua-gateway-server.endpoints.asList'),
      });
      const showWarning = (): void => {
        const offered = endpointsOf(String(endpoints.val()));
        const isWeak =
          OLD_ENDPOINTS.some((endpoint) => offered?.has(endpoint)) ||
          anonymous.prop('checked') ||
          trustAll.prop('checked');
        $('#opcua-gateway-server-insecure').toggle(isWeak === true);
      };
      for (const one of [endpoints, anonymous, trustAll]) one.on('change keyup', showWarning);
      showWarning();
      // Once the fields have been looked at: what is wrong must not be out of sight.
      setTimeout(() =>
        $('#opcua-gateway-server-limits, #opcua-gateway-server-values').has('.input-error').prop('open', true),
      );
    },
  },
);
