import { createServer } from 'node:net';

/** Ports that were given already: the system may offer one again as soon as it is free. */
const given = new Set<number>();

/** A TCP port that was free a moment ago, for programs that cannot be told to choose one themselves. Never twice. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await offered();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

function offered(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
