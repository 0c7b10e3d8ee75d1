/**
 * Endpoints of an OPC UA server to be ticked in a form. A plain script as rules.editor.ts is: the build puts it before the
 * editor code of each node, and leaves it out where nothing of it is used.
 */
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
