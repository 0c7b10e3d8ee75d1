/** Finds out before the start whether the web server will be able to listen, while a clear answer is still possible. */
import { createServer } from 'node:net';
import { errorText, type Fault } from '../model';

/** The fault if nothing can listen on that address and port now. */
export async function findListenFault(host: string, port: number): Promise<Fault | undefined> {
  const code = await tryListen(host, port);
  if (code === undefined) return undefined;
  switch (code) {
    case 'EADDRINUSE':
      return {
        field: 'HTTP_PORT',
        value: String(port),
        rule: `another program listens on ${host}:${port} already`,
        cure: 'Stop that program (it may be another gateway), or set HTTP_PORT to a free port.',
      };
    case 'EACCES':
      return {
        field: 'HTTP_PORT',
        value: String(port),
        rule: 'this user may not listen on that port',
        cure: 'Set HTTP_PORT to a port above 1023.',
      };
    default:
      return {
        field: 'HTTP_HOST',
        value: host,
        rule: `the gateway cannot listen on that address (${code})`,
        cure: 'Set HTTP_HOST to an address of this machine, e.g. 127.0.0.1 or 0.0.0.0.',
      };
  }
}

function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? errorText(error)));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

/** A free TCP port of this machine, chosen by the system, for a server that only this program uses. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('the system gave no port'));
      });
    });
  });
}
