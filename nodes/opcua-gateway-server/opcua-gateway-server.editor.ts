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

const MODES = ['Sign', 'SignAndEncrypt'];
const SECURE_POLICIES = ['Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'];
const SECURE_ENDPOINTS = SECURE_POLICIES.flatMap((policy) => MODES.map((mode) => `${policy}/${mode}`));
const OLD_ENDPOINTS = [...MODES.map((mode) => `Basic256/${mode}`), 'None'];

/** The endpoints that a text names; nothing = the secure ones. `undefined` if it is no list of endpoints. */
function endpointsOf(text: string): ReadonlySet<string> | undefined {
  const parts = text.split(',').flatMap((part) => part.trim().toLowerCase() || []);
  if (parts.length === 0) return new Set(SECURE_ENDPOINTS);
  const found = parts.map((part) =>
    // A policy alone means both of its modes.
    [...SECURE_ENDPOINTS, ...OLD_ENDPOINTS].filter((endpoint) =>
      [endpoint, endpoint.split('/')[0] ?? ''].some((name) => name.toLowerCase() === part),
    ),
  );
  return found.every((endpoints) => endpoints.length > 0) ? new Set(found.flat()) : undefined;
}

function endpointsRule(): FieldRule {
  return fieldRule('endpoints', {}, (text) => endpointsOf(text) !== undefined);
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

interface EndpointTexts {
  readonly secure: string;
  readonly old: string;
  readonly asText: string;
  readonly asList: string;
}

/** Endpoints to tick, in place of a text that lists them. What comes from the environment stays a text. */
function fillEndpoints(container: JQuery, input: JQuery, texts: EndpointTexts): void {
  const boxes = new Map<string, JQuery>();
  const chosen = (): string[] => [...boxes].filter(([, box]) => box.prop('checked')).map(([endpoint]) => endpoint);
  /** The last one stays: no endpoint at all would mean the default. */
  const holdLast = (): void => {
    const isLast = chosen().length === 1;
    for (const box of boxes.values()) box.prop('disabled', isLast && box.prop('checked'));
  };
  const write = (): void => {
    const endpoints = chosen();
    const isDefault =
      endpoints.length === SECURE_ENDPOINTS.length && endpoints.every((one) => !OLD_ENDPOINTS.includes(one));
    input.val(isDefault ? '' : endpoints.join(',')).trigger('change');
    holdLast();
  };
  const group = (title: string, policies: readonly string[]): JQuery => {
    const rows = policies.map((policy) => {
      const modes = policy === 'None' ? [''] : MODES;
      return $('<div/>')
        .css({ display: 'flex', gap: '16px', margin: '2px 0 2px 16px' })
        .append(
          $('<span/>').css({ flex: '0 0 190px' }).text(policy),
          ...modes.map((mode) => {
            const endpoint = mode === '' ? policy : `${policy}/${mode}`;
            const box = $('<input/>', { type: 'checkbox', 'aria-label': endpoint, 'data-endpoint': endpoint });
            box.css({ width: 'auto', margin: '0 6px 0 0' }).on('change', write);
            boxes.set(endpoint, box);
            return $('<label/>').css({ width: 'auto', margin: 0 }).append(box, document.createTextNode(mode));
          }),
        );
    });
    return $('<div/>', { role: 'group', 'aria-label': title })
      .css({ marginBottom: '8px' })
      .append($('<div/>').text(title), ...rows);
  };
  container
    .css({ marginBottom: '12px' })
    .append(group(texts.secure, SECURE_POLICIES), group(texts.old, ['Basic256', 'None']));

  const button = $('<button/>', { type: 'button', class: 'red-ui-button red-ui-button-small' });
  const show = (asText: boolean): void => {
    input.toggle(asText).css({ width: '40%' });
    container.toggle(!asText);
    button.text(asText ? texts.asList : texts.asText).css({ marginLeft: asText ? '8px' : 0 });
  };
  const tick = (): void => {
    const named = endpointsOf(String(input.val())) ?? new Set(SECURE_ENDPOINTS);
    for (const [endpoint, box] of boxes) box.prop('checked', named.has(endpoint));
    holdLast();
  };
  button.insertAfter(input).on('click', () => {
    const toText = !input.is(':visible');
    if (!toText) {
      tick();
      write();
    }
    show(toText);
  });
  const isText = endpointsOf(String(input.val())) === undefined;
  if (!isText) tick();
  show(isText);
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
