/** Node-RED, run by its own command line program inside this process: https, static files and signals come with it. */
import type { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { join } from 'node:path';

import settings = require('./settings');

/** What of Node-RED's API (node-red/lib/red.js) is used here. */
interface NodeRed {
  readonly events: EventEmitter;
  readonly server: Server | null;
}

/** How the OPC UA server of a flow tells that it answers. */
interface OpcuaReady {
  readonly endpointUrls: readonly string[];
}

export interface Readiness {
  /** Empty if the OPC UA server did not answer in time. */
  readonly endpointUrls: readonly string[];
}

/** ms to wait for the OPC UA server after the flows have started: making the first certificate takes a while. */
const OPCUA_PATIENCE = 30_000;

/**
 * Starts Node-RED and resolves when web and OPC UA answer.
 * @throws Error with code MODULE_NOT_FOUND if Node-RED is not installed
 */
export async function startNodeRed(
  contents: Readonly<Record<string, unknown>>,
  userFolder: string,
): Promise<Readiness> {
  Object.assign(settings, contents);
  // Loaded only now, when everything it needs is settled.
  const red = require('node-red') as NodeRed;
  const opcua = opcuaReady(red.events);
  const flows = new Promise<void>((resolve) => red.events.once('flows:started', () => resolve()));
  const options = ['--settings', join(__dirname, 'settings.js'), '--userDir', userFolder, '--title', 'lorua-gateway'];
  process.argv = [process.argv[0] ?? 'node', join(__dirname, 'gateway.js'), ...options];
  // The program runs when it is loaded.
  require('node-red/red.js');
  await flows;
  await listening(red);
  return { endpointUrls: await opcua };
}

function opcuaReady(events: EventEmitter): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const settle = (endpointUrls: readonly string[]): void => {
      clearTimeout(timer);
      resolve(endpointUrls);
    };
    const timer = setTimeout(settle, OPCUA_PATIENCE, []);
    timer.unref();
    events.once('lorua:opcua-ready', (ready: OpcuaReady) => settle(ready.endpointUrls));
    // It goes on trying; the banner must not wait for that.
    events.once('lorua:opcua-failed', () => settle([]));
  });
}

function listening(red: NodeRed): Promise<void> {
  const { server } = red;
  if (server === null || server.listening) return Promise.resolve();
  return new Promise((resolve) => server.once('listening', () => resolve()));
}
