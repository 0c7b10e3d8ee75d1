/** What the editor's form asks the runtime, so that it says of definitions what the runtime will say. */
import type { NodeAPI } from 'node-red';
import { COMMAND_PRESETS, parseCommandDefinitions, presetFields } from '../../lib/commands';
import { InvalidInputError } from '../../lib/model';

const PATH = '/lorua/command-definitions';

export function serveForm(RED: NodeAPI): void {
  RED.httpAdmin.get(`${PATH}/presets`, RED.auth.needsPermission('flows.read'), (_request, response) => {
    response.json(Object.fromEntries(COMMAND_PRESETS.map((preset) => [preset, presetFields(preset)])));
  });
  RED.httpAdmin.post(`${PATH}/check`, RED.auth.needsPermission('flows.read'), (request, response) => {
    response.json({ faults: faultsOf((request.body as { definitions?: unknown } | undefined)?.definitions) });
  });
}

function faultsOf(definitions: unknown): InvalidInputError['faults'] {
  try {
    parseCommandDefinitions(definitions, 'definitions');
    return [];
  } catch (error) {
    if (error instanceof InvalidInputError) return error.faults;
    throw error;
  }
}
