/** Sizes that client and server agree on in Hello and Acknowledge (Part 6 §7.1.2). */
export interface TransportLimits {
  readonly receiveBufferSize: number;
  readonly sendBufferSize: number;
  readonly maxMessageSize: number;
  readonly maxChunkCount: number;
}

/** Least that Part 6 allows. */
const SMALLEST_CHUNK = 8_192;

/**
 * Chunks as small as wished, messages as large as the client takes: each answer allocates a buffer of one chunk, so
 * small ones make small reads cheap. A client that limits the number of chunks gets larger ones, so that the largest
 * message it takes still fits.
 */
export function negotiate(hello: TransportLimits, own: { chunkSize: number; maxMessageSize: number }): TransportLimits {
  const maxMessageSize = Math.min(hello.maxMessageSize || own.maxMessageSize, own.maxMessageSize);
  const needed = hello.maxChunkCount > 0 ? Math.ceil(maxMessageSize / hello.maxChunkCount) : 0;
  const chunk = Math.max(own.chunkSize, needed, SMALLEST_CHUNK);
  const size = (offered: number): number => Math.min(Math.max(offered || chunk, SMALLEST_CHUNK), chunk);
  const receiveBufferSize = size(hello.receiveBufferSize);
  const sendBufferSize = size(hello.sendBufferSize);
  return {
    receiveBufferSize,
    sendBufferSize,
    maxMessageSize,
    maxChunkCount: hello.maxChunkCount || Math.ceil(maxMessageSize / Math.min(receiveBufferSize, sendBufferSize)),
  };
}
