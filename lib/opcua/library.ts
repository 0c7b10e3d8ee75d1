/**
 * The node-opcua library, loaded when a server starts and not before: loading costs more than a second and some
 * hundred megabytes, which a flow without a server must not pay.
 */
export type Library = typeof import('node-opcua');

/** Loads the library; Node.js keeps it, so every call after the first is free. */
export function loadLibrary(): Promise<Library> {
  return import('node-opcua');
}
