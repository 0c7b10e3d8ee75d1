/**
 * Takes the place of methods of the library, which makes many of its objects for itself. Prototypes are one for the
 * process, and so is what stands in them: the first server of the process puts it there.
 */

/** A method of which no more is known than that it can be called. */
export type Method = (...args: unknown[]) => unknown;

/** Names that were taken, by prototype. */
const replaced = new WeakMap<object, Set<string>>();

/**
 * Does nothing where it was done before.
 * @param by gets the method of the library, which it may call
 * @throws TypeError if there is no such method: the library is of another version
 */
export function replaceMethod(prototype: object, name: string, by: (original: Method) => Method): void {
  const names = replaced.get(prototype) ?? new Set();
  if (names.has(name)) return;
  const original: unknown = Reflect.get(prototype, name);
  if (typeof original !== 'function')
    throw new TypeError(
      `node-opcua has no method ${name} any more: this gateway needs the version in its package.json`,
    );
  names.add(name);
  replaced.set(prototype, names);
  Object.defineProperty(prototype, name, { value: by(original as Method), configurable: true, writable: true });
}
