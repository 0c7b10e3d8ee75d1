/**
 * Writes and calls that send commands, in place of the library's own: it would serve those of a request one after the
 * other, each waiting for the disk, and would show a value that was refused. Here all commands of a request are made
 * durable together; those of one device keep their order.
 */
import type {
  BaseNode,
  CallMethodRequest,
  CallMethodResultOptions,
  OPCUAServer,
  StatusCode,
  Variant,
  WriteValue,
} from 'node-opcua';
import {
  type Clock,
  CommandRefusedError,
  type CommandRequest,
  type Fault,
  InvalidInputError,
  ROLES,
  type Role,
} from '../../model';
import type { Library } from '../library';
import { inTurns } from '../protection/turns';
import { refusedFor } from './answers';
import { LIST } from './command-list';
import type { CommandModel } from './command-model';
import type { CommandNodes } from './command-nodes';
import { LIST_METHODS, type ListMethod, listDeclaration, SEND_DECLARATION } from './command-types';
import {
  argumentValue,
  isNull,
  MISMATCH,
  needsConfirmation,
  plainValue,
  valueType,
  writtenValue,
} from './parameter-form';

type Engine = OPCUAServer['engine'];
type Context = Parameters<Engine['write']>[0];
/** With the text that the library puts into the DiagnosticInfo of those clients that ask for it. */
type CallAnswer = CallMethodResultOptions & { readonly statusText?: string };

/** Refusals of one request that are told by events; a client may ask for thousands. */
const MOST_TOLD = 20;

/** Counts what is refused in one request. */
interface Tally {
  refused: number;
}

export interface CommandServiceOptions {
  readonly library: Library;
  readonly engine: Engine;
  readonly model: CommandModel;
  readonly clock: Clock;
}

export class CommandService {
  readonly #library: Library;
  readonly #model: CommandModel;
  readonly #clock: Clock;
  /** Ids of commands that were made of parts of requests, for the audit. */
  readonly #ids = new WeakMap<object, string>();
  readonly #roles: ReadonlyMap<string, Role>;
  readonly #sendDeclaration: string;
  readonly #listMethods: ReadonlyMap<string, ListMethod>;

  /** Takes the place of the engine's write and call; install it after what guards them and before the audit. */
  constructor({ library, engine, model, clock }: CommandServiceOptions) {
    this.#library = library;
    this.#model = model;
    this.#clock = clock;
    this.#roles = new Map(
      ROLES.map((role) => [library.resolveNodeId(`i=${library.WellKnownRoles[role]}`).toString(), role]),
    );
    const { index } = model.factory.namespaces.model;
    this.#sendDeclaration = `ns=${index};s=${SEND_DECLARATION}`;
    this.#listMethods = new Map(
      LIST_METHODS.flatMap((name) => [
        [`ns=${index};s=${listDeclaration(name)}`, name] as const,
        [model.list.methods[name].nodeId.toString(), name] as const,
      ]),
    );
    const write = engine.write.bind(engine);
    engine.write = (context, nodes) => {
      const tally: Tally = { refused: 0 };
      return this.#together(
        nodes,
        (node) => this.#writer(context, node, tally),
        (others) => write(context, others),
      );
    };
    const call = engine.call.bind(engine);
    engine.call = (context, methods) => {
      const tally: Tally = { refused: 0 };
      return this.#together(
        methods,
        (method) => this.#caller(context, method, tally),
        (others) => call(context, others),
      );
    };
  }

  /** The id of the command that was made of a part of a request. */
  idOf(part: object): string | undefined {
    return this.#ids.get(part);
  }

  /** Starts what is ours in order, lets the library serve the others, and waits for all. */
  async #together<Part, Result>(
    parts: readonly Part[],
    ours: (part: Part) => (() => Promise<Result>) | undefined,
    others: (parts: Part[]) => Promise<Result[]>,
  ): Promise<Result[]> {
    const serve = parts.map(ours);
    if (serve.every((one) => one === undefined)) return others([...parts]);
    // None of them ever rejects.
    const begun = await inTurns(this.#clock, serve, (some) => some.map((one) => ({ result: one?.() })));
    const rest = parts.filter((_part, index) => serve[index] === undefined);
    const answered = rest.length === 0 ? [] : await others(rest);
    const results: Result[] = [];
    let next = 0;
    for (const { result } of begun) {
      const own = result === undefined ? answered[next++] : await result;
      if (own !== undefined) results.push(own);
    }
    return results;
  }

  #writer(context: Context, part: WriteValue, tally: Tally): (() => Promise<StatusCode>) | undefined {
    const { AttributeIds } = this.#library;
    if (part.attributeId !== AttributeIds.Value.valueOf()) return undefined;
    const nodes = this.#model.byValue(part.nodeId.toString());
    if (nodes === undefined) return undefined;
    return async () => {
      try {
        return await this.#write(context, nodes, part, tally);
      } catch (error) {
        return this.#refuse(nodes, context, error, tally);
      }
    };
  }

  async #write(context: Context, nodes: CommandNodes, part: WriteValue, tally: Tally): Promise<StatusCode> {
    const { StatusCodes, PermissionType } = this.#library;
    const { value } = nodes;
    if (value === undefined) return StatusCodes.BadNodeIdUnknown;
    const { variable, parameter } = value;
    const denied = this.#denied(context, variable, PermissionType.Write);
    if (denied !== undefined) return denied;
    if (needsConfirmation(nodes.definition)) {
      this.#tell(nodes, context, 'it must be asked for twice: use Send, which answers with a token', tally);
      return StatusCodes.BadNotWritable;
    }
    const { value: written, indexRange } = part;
    if (!indexRange.isEmpty()) return StatusCodes.BadWriteNotSupported;
    // Only a value that is good can be meant.
    if (!written.statusCode.isGood()) return StatusCodes.BadWriteNotSupported;
    const plain = writtenValue(this.#library, parameter, written.value);
    if (plain === MISMATCH) {
      this.#tell(nodes, context, `the value is one ${valueType(parameter)}`, tally);
      return StatusCodes.BadTypeMismatch;
    }
    if (this.#model.isGone(nodes.devEui)) return StatusCodes.BadOutOfService;
    const command = await this.#model.source.submit(this.#request(context, nodes, { [parameter.name]: plain }));
    this.#ids.set(part, command.id);
    return StatusCodes.Good;
  }

  #caller(context: Context, part: CallMethodRequest, tally: Tally): (() => Promise<CallAnswer>) | undefined {
    const object = part.objectId.toString();
    const method = part.methodId.toString();
    const args = part.inputArguments ?? [];
    const nodes = this.#model.byObject(object);
    const { list } = this.#model;
    if (nodes !== undefined && (method === nodes.send.nodeId.toString() || method === this.#sendDeclaration))
      return async () => {
        try {
          return await this.#send(context, nodes, args, tally, part);
        } catch (error) {
          return { statusCode: this.#refuse(nodes, context, error, tally) };
        }
      };
    const name = object === list.object.nodeId.toString() ? this.#listMethods.get(method) : undefined;
    if (name === undefined) return undefined;
    return async () => {
      try {
        return await this.#ask(context, name, args);
      } catch (error) {
        const { status: statusCode, text: statusText } = refusedFor(this.#library, error);
        return { statusCode, statusText };
      }
    };
  }

  async #send(
    context: Context,
    nodes: CommandNodes,
    args: readonly Variant[],
    tally: Tally,
    part: object,
  ): Promise<CallAnswer> {
    const { StatusCodes, PermissionType, DataType } = this.#library;
    const denied = this.#denied(context, nodes.send, PermissionType.Call);
    if (denied !== undefined) return { statusCode: denied };
    const { parameters } = nodes.definition;
    const isTwice = needsConfirmation(nodes.definition);
    const given: Record<string, unknown> = {};
    // Arguments that may be Null may be left out at the end as well (Part 3 §7.21).
    const mayMiss = parameters.map(({ isRequired, default: preset }) => !isRequired || preset !== undefined);
    if (isTwice) mayMiss.push(true);
    if (args.length > mayMiss.length) return { statusCode: StatusCodes.BadTooManyArguments };
    if (!mayMiss.slice(args.length).every(Boolean)) return { statusCode: StatusCodes.BadArgumentsMissing };
    const results = args.map((arg, index) => {
      const parameter = parameters[index];
      if (isNull(this.#library, arg)) return mayMiss[index] === true ? StatusCodes.Good : StatusCodes.BadTypeMismatch;
      const plain =
        parameter === undefined
          ? plainValue(this.#library, 'String', arg)
          : argumentValue(this.#library, parameter, arg);
      if (plain === MISMATCH) return StatusCodes.BadTypeMismatch;
      if (parameter !== undefined) given[parameter.name] = plain;
      return StatusCodes.Good;
    });
    if (results.some((status) => !status.isGood()))
      return { statusCode: StatusCodes.BadInvalidArgument, inputArgumentResults: results };
    if (this.#model.isGone(nodes.devEui)) return { statusCode: StatusCodes.BadOutOfService };
    const last = isTwice ? args[parameters.length] : undefined;
    const confirmation =
      last === undefined || isNull(this.#library, last) || last.value === '' ? undefined : last.value;
    const text = (value: string): { dataType: (typeof DataType)['String']; value: string } => ({
      dataType: DataType.String,
      value,
    });
    try {
      const command = await this.#model.source.submit({
        ...this.#request(context, nodes, given),
        ...(typeof confirmation === 'string' ? { confirmation } : {}),
      });
      this.#ids.set(part, command.id);
      return {
        statusCode: StatusCodes.Good,
        inputArgumentResults: results,
        outputArguments: isTwice ? [text(command.id), text('')] : [text(command.id)],
      };
    } catch (error) {
      if (!(error instanceof CommandRefusedError)) throw error;
      if (error.refusal === 'confirmation-needed')
        // Nothing was sent, so it is not Good; with a Bad status there could be no token (Part 4 §5.12.2).
        return {
          statusCode: StatusCodes.Uncertain,
          statusText: error.message,
          inputArgumentResults: results,
          outputArguments: [text(''), text(error.confirmation ?? '')],
        };
      const statusCode = this.#refuse(nodes, context, error, tally);
      if (error.refusal !== 'bad-parameter') return { statusCode, statusText: error.message };
      return {
        statusCode: StatusCodes.BadInvalidArgument,
        statusText: error.message,
        inputArgumentResults: args.map((_arg, index) =>
          isNamed(error.faults, parameters[index]?.name) ? StatusCodes.BadOutOfRange : StatusCodes.Good,
        ),
      };
    }
  }

  async #ask(context: Context, name: ListMethod, args: readonly Variant[]): Promise<CallAnswer> {
    const { StatusCodes, PermissionType, DataType, VariantArrayType } = this.#library;
    const denied = this.#denied(context, this.#model.list.methods[name], PermissionType.Call);
    if (denied !== undefined) return { statusCode: denied };
    const { inputs, outputs } = LIST[name];
    const isQuestion = name === 'GetCommands';
    if (args.length > inputs.length) return { statusCode: StatusCodes.BadTooManyArguments };
    if (args.length < inputs.length && !isQuestion) return { statusCode: StatusCodes.BadArgumentsMissing };
    const given: Record<string, unknown> = {};
    const results = args.map((arg, index) => {
      const input = inputs[index];
      if (input === undefined || (isQuestion && isNull(this.#library, arg))) return StatusCodes.Good;
      const plain = plainValue(this.#library, input.type, arg);
      if (plain === MISMATCH) return StatusCodes.BadTypeMismatch;
      given[input.name] = plain;
      return StatusCodes.Good;
    });
    if (results.some((status) => !status.isGood()))
      return { statusCode: StatusCodes.BadInvalidArgument, inputArgumentResults: results };
    try {
      const answers = await this.#model.list.run(name, given, context.getUserName());
      return {
        statusCode: StatusCodes.Good,
        inputArgumentResults: results,
        outputArguments: outputs.map(({ type, isArray }, index) => ({
          dataType: DataType[type === 'Boolean' ? 'Boolean' : 'String'],
          arrayType: VariantArrayType[isArray === true ? 'Array' : 'Scalar'],
          value: answers[index],
        })),
      };
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      return {
        statusCode: StatusCodes.BadInvalidArgument,
        statusText: error.message,
        inputArgumentResults: inputs
          .slice(0, args.length)
          .map(({ name: field }) =>
            error.faults.some((fault) => fault.field === field) ? StatusCodes.BadOutOfRange : StatusCodes.Good,
          ),
      };
    }
  }

  /** Why a client may not, as the library itself would say it; `undefined` if it may. */
  #denied(
    context: Context,
    node: BaseNode,
    permission: Parameters<Context['checkPermission']>[1],
  ): StatusCode | undefined {
    const { StatusCodes } = this.#library;
    if (context.isAccessRestricted(node)) return StatusCodes.BadSecurityModeInsufficient;
    return context.checkPermission(node, permission) ? undefined : StatusCodes.BadUserAccessDenied;
  }

  #request(context: Context, nodes: CommandNodes, parameters: Readonly<Record<string, unknown>>): CommandRequest {
    return {
      devEui: nodes.devEui,
      name: nodes.name,
      parameters,
      user: context.getUserName(),
      roles: context.getCurrentUserRoles().flatMap((id) => this.#roles.get(id.toString()) ?? []),
      source: 'opcua',
    };
  }

  #refuse(nodes: CommandNodes, context: Context, error: unknown, tally: Tally): StatusCode {
    const { status, text } = refusedFor(this.#library, error);
    this.#tell(nodes, context, text, tally);
    return status;
  }

  #tell(nodes: CommandNodes, context: Context, text: string, tally: Tally): void {
    this.#model.refused(nodes, context.getUserName(), text, ++tally.refused <= MOST_TOLD);
  }
}

/** Whether a parameter is named by a fault; a fault of the whole is one of each. */
function isNamed(faults: readonly Fault[], name: string | undefined): boolean {
  return (
    name !== undefined && faults.some(({ field }) => field === `parameters.${name}` || !field.startsWith('parameters.'))
  );
}
