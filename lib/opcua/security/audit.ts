/**
 * Audit of what clients write and call, and of certificates that are refused (Part 5 §6.4): as events of OPC UA for
 * whoever is a SecurityAdmin, and as client events. The library does the same for sessions and logins by itself.
 */
import type {
  BaseNode,
  CallMethodRequest,
  NodeId,
  OPCUAServer,
  RolePermissionTypeOptions,
  StatusCode,
  Variant,
  WriteValue,
} from 'node-opcua';
import { type Clock, errorText, type Logger } from '../../model';
import type { Library } from '../library';
import type { ClientWatch } from './client-events';

type Engine = OPCUAServer['engine'];
type Context = Parameters<Engine['write']>[0];

interface Deps {
  readonly library: Library;
  readonly server: OPCUAServer;
  readonly clients: ClientWatch;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The id of the command that was made of a part of a request. */
  readonly commandOf: (part: object) => string | undefined;
}

/** As the library's own: something happened, and something was refused. */
const SEVERITY = { done: 100, refused: 800 } as const;
const LONGEST_TEXT = 256;
/** A client without rights may ask for thousands in one request: of refused ones so many are told one by one. */
const MOST_REFUSED = 20;
/** Methods by which clients only ask: GetMonitoredItems, ResendData, ConditionRefresh, ConditionRefresh2. */
const QUESTIONS: ReadonlySet<string> = new Set(['ns=0;i=11492', 'ns=0;i=12873', 'ns=0;i=3875', 'ns=0;i=12912']);
/** The same of ours, whose namespace has no other method of the name: GetCommands. */
const COMMANDS_QUESTION = 'lorawan/commands/get';

/** What is told of a certificate that is refused, by the status code. */
const CERTIFICATE_EVENTS: ReadonlyMap<string, string> = new Map([
  ['BadCertificateUntrusted', 'AuditCertificateUntrustedEventType'],
  ['BadCertificateChainIncomplete', 'AuditCertificateUntrustedEventType'],
  ['BadCertificateTimeInvalid', 'AuditCertificateExpiredEventType'],
  ['BadCertificateIssuerTimeInvalid', 'AuditCertificateExpiredEventType'],
  ['BadCertificateRevoked', 'AuditCertificateRevokedEventType'],
  ['BadCertificateRevocationUnknown', 'AuditCertificateRevokedEventType'],
  ['BadCertificateIssuerRevocationUnknown', 'AuditCertificateRevokedEventType'],
  ['BadCertificateUseNotAllowed', 'AuditCertificateMismatchEventType'],
  ['BadCertificateIssuerUseNotAllowed', 'AuditCertificateMismatchEventType'],
]);

export class Audit {
  readonly #deps: Deps;
  readonly #entryIds = new WeakMap<object, string>();

  /** Takes the place of the engine's write and call; install it after what corrects them, so that it sees the answers. */
  constructor(deps: Deps) {
    this.#deps = deps;
    const { library, server } = deps;
    const { engine } = server;
    const { StatusCodes } = library;
    // The service does not hand on the id by which the client knows its act.
    server.on('request', (request: unknown) => {
      if (request instanceof library.WriteRequest && request.nodesToWrite)
        this.#entryIds.set(request.nodesToWrite, request.requestHeader.auditEntryId ?? '');
      else if (request instanceof library.CallRequest && request.methodsToCall)
        this.#entryIds.set(request.methodsToCall, request.requestHeader.auditEntryId ?? '');
    });

    const write = engine.write.bind(engine);
    engine.write = async (context, nodes) => {
      const before = nodes.map((node) => this.#valueOf(node));
      let results: StatusCode[] = nodes.map(() => StatusCodes.BadInternalError);
      try {
        results = await write(context, nodes);
        return results;
      } finally {
        this.#each(results, (index, status) => {
          const node = nodes[index];
          if (node !== undefined) this.#written(context, nodes, node, before[index], status);
        });
      }
    };

    const call = engine.call.bind(engine);
    engine.call = async (context, methods) => {
      let results: StatusCode[] = methods.map(() => StatusCodes.BadInternalError);
      try {
        const answers = await call(context, methods);
        results = answers.map(({ statusCode }) => library.coerceStatusCode(statusCode ?? StatusCodes.BadInternalError));
        return answers;
      } finally {
        this.#each(results, (index, status) => {
          const method = methods[index];
          if (method !== undefined) this.#called(context, methods, method, status);
        });
      }
    };
  }

  /** A channel that was refused for its certificate. */
  certificateRefused(certificate: Buffer, status: StatusCode): void {
    const { DataType } = this.#deps.library;
    this.#raise(CERTIFICATE_EVENTS.get(status.name) ?? 'AuditCertificateInvalidEventType', undefined, status, {
      message: `certificate refused: ${status.name}`,
      source: 'Security/Certificate',
      fields: { certificate: { dataType: DataType.ByteString, value: certificate } },
    });
  }

  /** An audit that fails must not spoil what is audited. */
  #each(results: readonly StatusCode[], tell: (index: number, status: StatusCode) => void): void {
    let refused = 0;
    results.forEach((status, index) => {
      if (!status.isGood() && ++refused > MOST_REFUSED) return;
      try {
        tell(index, status);
      } catch (error) {
        this.#deps.logger.warn({
          operation: 'session',
          event: 'failed',
          reason: 'internal',
          message: `an act of a client could not be audited: ${errorText(error)}`,
        });
      }
    });
  }

  #written(
    context: Context,
    request: readonly WriteValue[],
    part: WriteValue,
    before: Variant | undefined,
    status: StatusCode,
  ): void {
    const { library, clients, clock, commandOf } = this.#deps;
    const { nodeId, attributeId, indexRange, value } = part;
    const command = commandOf(part);
    const { DataType, AttributeIds } = library;
    const attribute = AttributeIds[attributeId] ?? String(attributeId);
    clients.tell({
      type: 'written',
      time: clock.now(),
      ...this.#actor(context),
      node: nodeId.toString(),
      attribute,
      value: textOf([value.value]),
      status: status.name,
      ...(command === undefined ? {} : { command }),
    });
    this.#raise('AuditWriteUpdateEventType', context, status, {
      message: `${attribute} written: ${status.name}${commandText(command)}`,
      source: 'Attribute/Write',
      sourceNode: nodeId,
      entryId: this.#entryIds.get(request),
      fields: {
        attributeId: { dataType: DataType.UInt32, value: attributeId },
        indexRange: { dataType: DataType.String, value: indexRange.toString() },
        ...(before === undefined ? {} : { oldValue: before }),
        newValue: value.value,
      },
    });
  }

  #called(context: Context, request: readonly CallMethodRequest[], part: CallMethodRequest, status: StatusCode): void {
    const { objectId, methodId, inputArguments } = part;
    if (QUESTIONS.has(methodId.toString()) || methodId.value === COMMANDS_QUESTION) return;
    const { library, clients, clock, commandOf } = this.#deps;
    const command = commandOf(part);
    const { DataType, VariantArrayType } = library;
    // Methods of the standard take passwords and keys among others.
    const shown = methodId.namespace === 0 ? undefined : (inputArguments ?? []);
    clients.tell({
      type: 'called',
      time: clock.now(),
      ...this.#actor(context),
      node: objectId.toString(),
      method: methodId.toString(),
      ...(shown === undefined ? {} : { value: textOf(shown) }),
      status: status.name,
      ...(command === undefined ? {} : { command }),
    });
    this.#raise('AuditUpdateMethodEventType', context, status, {
      message: `method called: ${status.name}${commandText(command)}`,
      source: 'Attribute/Call',
      sourceNode: objectId,
      entryId: this.#entryIds.get(request),
      fields: {
        methodId: { dataType: DataType.NodeId, value: methodId },
        inputArguments: { dataType: DataType.Variant, arrayType: VariantArrayType.Array, value: shown ?? [] },
      },
    });
  }

  /** Who did it, as client events tell. */
  #actor({ session }: Context): { address: string; session: string; application: string; user: string } {
    const { server, clients } = this.#deps;
    const own = server.engine.getSessions().find((candidate) => Object.is(candidate, session));
    if (own === undefined) return { address: '', session: '', application: '', user: '' };
    const { address, session: name, application, user } = clients.describe(own);
    return { address, session: name, application, user };
  }

  /** The value before it is written. */
  #valueOf({ nodeId, attributeId }: WriteValue): Variant | undefined {
    const node = this.#deps.server.engine.addressSpace?.findNode(nodeId);
    return node ? quietly(() => node.readAttribute(null, attributeId).value) : undefined;
  }

  #raise(
    type: string,
    context: Context | undefined,
    status: StatusCode,
    more: {
      readonly message: string;
      readonly source: string;
      readonly sourceNode?: NodeId;
      readonly entryId?: string | undefined;
      readonly fields: Readonly<Record<string, unknown>>;
    },
  ): void {
    const { library, server, clock } = this.#deps;
    const { DataType } = library;
    const { addressSpace } = server.engine;
    const eventType = addressSpace?.findEventType(type);
    if (!addressSpace || !eventType) return;
    const source = more.sourceNode && addressSpace.findNode(more.sourceNode);
    if (source) letAdministratorsHear(library, source);
    addressSpace.rootFolder.objects.server.raiseEvent(eventType, {
      actionTimeStamp: { dataType: DataType.DateTime, value: new Date(clock.now()) },
      status: { dataType: DataType.Boolean, value: status.isGood() },
      severity: { dataType: DataType.UInt16, value: status.isGood() ? SEVERITY.done : SEVERITY.refused },
      message: { dataType: DataType.LocalizedText, value: { text: more.message } },
      serverId: { dataType: DataType.String, value: server.serverInfo.applicationUri ?? '' },
      clientAuditEntryId: { dataType: DataType.String, value: more.entryId ?? '' },
      clientUserId: { dataType: DataType.String, value: context?.getUserName() ?? '' },
      sourceName: { dataType: DataType.String, value: more.source },
      ...(source ? { sourceNode: { dataType: DataType.NodeId, value: source.nodeId } } : {}),
      ...more.fields,
    });
  }
}

/**
 * An event reaches whoever may receive those of its type and of its source (Part 3 §8.55). Some nodes of the standard
 * have rights of their own that forget the latter.
 */
function letAdministratorsHear(
  { PermissionFlag, WellKnownRoles, resolveNodeId, sameNodeId }: Library,
  node: BaseNode,
): void {
  const { rolePermissions } = node;
  if (!rolePermissions) return;
  const administrator = resolveNodeId(WellKnownRoles.SecurityAdmin);
  const isAdministrator = ({ roleId }: RolePermissionTypeOptions): boolean =>
    roleId !== undefined && roleId !== null && sameNodeId(resolveNodeId(roleId), administrator);
  const { permissions = 0 } = rolePermissions.find(isAdministrator) ?? {};
  if ((permissions & PermissionFlag.ReceiveEvents) !== 0) return;
  node.setRolePermissions([
    ...rolePermissions.filter((entry) => !isAdministrator(entry)),
    { roleId: administrator, permissions: permissions | PermissionFlag.ReceiveEvents },
  ]);
}

function commandText(id: string | undefined): string {
  return id === undefined ? '' : `, command ${id}`;
}

/** Values as text, shortened. */
function textOf(values: readonly Variant[]): string {
  const text = values
    .map(({ value }) =>
      JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? String(item) : item)),
    )
    .join(', ');
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text;
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
