/**
 * Lets each answer take as much memory as it needs. node-opcua 2.186 gets a buffer of a whole chunk for the smallest of
 * them; the pages that brings in and the garbage it leaves cost a quarter of what a small Read costs.
 */
import type { MessageChunker } from 'node-opcua';
import type { Library } from '../library';
import { replaceMethod } from './replace-method';

/** Bytes of a chunk beside its body: headers, padding, and the signature of symmetric policies. */
const FRAME = 1_024;

export function fitChunkBuffers({ MessageChunker: { prototype } }: Library): void {
  replaceMethod(
    prototype,
    'prepareChunk',
    (prepare) =>
      function prepareChunk(this: MessageChunker, type: unknown, parameters: unknown, size: unknown): unknown {
        // Asymmetric keys may be longer than the frame, and opening a channel is rare.
        if (type === 'MSG' && typeof size === 'number') fit(parameters as Parameters, size);
        return Reflect.apply(prepare, this, [type, parameters, size]);
      },
  );
}

type Parameters = { readonly securityOptions: { chunkSize: number } };

function fit({ securityOptions }: Parameters, size: number): void {
  securityOptions.chunkSize = Math.min(securityOptions.chunkSize, size + FRAME);
}
