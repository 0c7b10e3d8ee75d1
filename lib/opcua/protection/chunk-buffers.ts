/**
 * Lets each answer take as much memory as it needs. node-opcua 2.186 gets a buffer of a whole chunk for the smallest of
 * them; the pages that brings in and the garbage it leaves cost a quarter of what a small Read costs. Reaches into the
 * prototype of the library, once per process.
 */
import type { MessageChunker } from 'node-opcua';
import type { Library } from '../library';

/** Bytes of a chunk beside its body: headers, padding, and the signature of symmetric policies. */
const FRAME = 1_024;

const guarded = new WeakSet<object>();

type Prepare = (this: MessageChunker, ...args: unknown[]) => unknown;

export function fitChunkBuffers({ MessageChunker: { prototype } }: Library): void {
  if (guarded.has(prototype)) return;
  guarded.add(prototype);
  const prepare: unknown = Reflect.get(prototype, 'prepareChunk');
  if (typeof prepare !== 'function') throw new TypeError('this version of node-opcua makes chunks in another way');
  const prepareChunk: MessageChunker['prepareChunk'] = function (this: MessageChunker, type, parameters, size) {
    const { securityOptions } = parameters;
    // Asymmetric keys may be longer than the frame, and opening a channel is rare.
    if (type === 'MSG') securityOptions.chunkSize = Math.min(securityOptions.chunkSize, size + FRAME);
    return Reflect.apply(prepare as Prepare, this, [type, parameters, size]) as ReturnType<typeof prepareChunk>;
  };
  Object.defineProperty(prototype, 'prepareChunk', { value: prepareChunk, configurable: true, writable: true });
}
