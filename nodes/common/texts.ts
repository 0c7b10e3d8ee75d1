import type { NodeAPI } from 'node-red';

/** Texts that several nodes show are in the catalogue of gateway-database, which every gateway has. */
const COMMON = '@lorua/node-red-lorua/gateway-database:common';

/** A text of the common catalogue, in the language of the runtime. */
export function commonText(RED: NodeAPI, key: string, values: Readonly<Record<string, string | number>> = {}): string {
  return RED._(`${COMMON}.${key}`, values);
}
