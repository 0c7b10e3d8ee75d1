/**
 * Payload codecs of device profiles (codec/js/mod.rs): the JavaScript text of the profile runs here as it runs in
 * ChirpStack, with its time limit and its error texts.
 */
import { compileFunction, createContext, Script } from 'node:vm';
import { errorText } from '../model';

export type CodecRuntime = 'NONE' | 'JS';

export interface UplinkInput {
  readonly bytes: Uint8Array;
  readonly fPort: number;
  /** ms UTC */
  readonly recvTime: number;
  readonly variables: Readonly<Record<string, string>>;
}

export interface DownlinkInput {
  readonly data: object;
  readonly fPort: number;
  readonly variables: Readonly<Record<string, string>>;
}

/** A codec that failed; the message is what ChirpStack says. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

export interface Codec {
  /** `undefined` without a codec. @throws CodecError */
  decode(input: UplinkInput): object | undefined;
  /** @throws CodecError */
  encode(input: DownlinkInput): { readonly fPort: number; readonly data: Uint8Array };
}

/** ChirpStack's `codec.js.max_execution_time`, ms. */
const TIME_LIMIT = 100;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function errorsOf(result: unknown): string[] {
  return isRecord(result) && Array.isArray(result.errors) ? result.errors.map(String) : [];
}

function decoded(result: unknown): object {
  const errors = errorsOf(result);
  if (errors.length > 0) throw new CodecError(`decodeUplink returned errors: ${errors.join(', ')}`);
  if (!isRecord(result) || !isRecord(result.data)) throw new CodecError('decodeUplink did not return data');
  return result.data;
}

function encoded(result: unknown, fPort: number): { fPort: number; data: Uint8Array } {
  const errors = errorsOf(result);
  if (errors.length > 0) throw new CodecError(`encodeDownlink returned errors: ${errors.join(', ')}`);
  if (!isRecord(result) || !Array.isArray(result.bytes)) throw new CodecError('encodeDownlink did not return bytes');
  const port = typeof result.fPort === 'number' ? result.fPort & 255 : fPort;
  return { fPort: port, data: Uint8Array.from(result.bytes.map(Number)) };
}

/** Runtime NONE: nothing is decoded, and an object for a downlink becomes an empty payload without an error. */
export const noCodec: Codec = {
  decode: () => undefined,
  encode: ({ fPort }) => ({ fPort, data: new Uint8Array() }),
};

/** Runs any script, each call in a context of its own and within the time limit. */
export function scriptCodec(text: string): Codec {
  let script: Script | undefined;
  const call = (name: string, input: object): unknown => {
    try {
      script ??= new Script(`${text}\n;JSON.stringify(globalThis[name](JSON.parse(input)))`);
      const context = createContext(
        { name, input: JSON.stringify(input) },
        { codeGeneration: { strings: false, wasm: false } },
      );
      const result: unknown = script.runInContext(context, { timeout: TIME_LIMIT });
      return typeof result === 'string' ? (JSON.parse(result) as unknown) : undefined;
    } catch (error) {
      throw new CodecError(`JS error: ${describe(error)}`);
    }
  };
  return {
    decode: ({ bytes, ...rest }) => decoded(call('decodeUplink', { ...rest, bytes: [...bytes] })),
    encode: (input) => encoded(call('encodeDownlink', input), input.fPort),
  };
}

/**
 * Runs a script of this package itself, compiled once and called directly: tens of thousands of uplinks a second
 * could not each afford a context. Only for text that is part of the program.
 */
export function builtInCodec(text: string): Codec {
  const names = ['decodeUplink', 'encodeDownlink'];
  const functions: unknown = compileFunction(
    `${text}\nreturn {${names.map((name) => `${name}: typeof ${name} === 'function' ? ${name} : undefined`).join(', ')}};`,
  )();
  const call = (name: string, input: object): unknown => {
    const callee = isRecord(functions) ? functions[name] : undefined;
    if (typeof callee !== 'function') throw new CodecError(`JS error: ReferenceError: ${name} is not defined`);
    try {
      return Reflect.apply(callee, undefined, [input]) as unknown;
    } catch (error) {
      throw new CodecError(`JS error: ${describe(error)}`);
    }
  };
  return {
    decode: (input) => decoded(call('decodeUplink', input)),
    encode: (input) => encoded(call('encodeDownlink', input), input.fPort),
  };
}

function describe(error: unknown): string {
  // Errors of another context are no instances of this one's Error.
  const named = isRecord(error) && typeof error.name === 'string' && typeof error.message === 'string';
  return named ? `${String(error.name)}: ${String(error.message)}` : errorText(error);
}
