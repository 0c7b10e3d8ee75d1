/**
 * Tells a redeploy from the end of the process: Node-RED closes its nodes alike for both, but only at the end must
 * clients of the OPC UA server be told that it goes away.
 */
let ending = false;

// Node-RED installs its own listeners for these; ours only look, and must be asked first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const)
  process.prependListener(signal, () => {
    ending = true;
  });

export function processIsEnding(): boolean {
  return ending;
}
