/** Runs the real program as a user does: a process of its own, settings by environment, an empty data folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port';
import { repositoryRoot } from './paths';

/** The compiled program that belongs to these compiled tests. */
const PROGRAM = join(__dirname, '..', '..', 'bin', 'gateway.js');

/** ms; far beyond what a start takes, so that a slow machine fails no test. */
const PATIENCE = 90_000;

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export interface BootOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** That of an earlier start; a new one if absent. */
  readonly dataFolder?: string;
  /** Where it prints that it is ready: with JSON logs that is standard error. */
  readonly readyOn?: 'output' | 'errors';
  /** Start it as `npm start` does. */
  readonly byNpm?: boolean;
  /** Told what it prints, also before it is ready. */
  readonly onOutput?: (text: string) => void;
}

export interface BootedGateway {
  readonly dataFolder: string;
  readonly httpPort: number;
  readonly opcuaPort: number;
  /** Without a slash at the end. */
  readonly web: string;
  readonly endpointUrl: string;
  readonly user: string;
  readonly password: string;
  readonly process: ChildProcess;
  /** Standard output so far. */
  output(): string;
  /** Sends a signal and waits for the end. Idempotent. */
  stop(signal?: NodeJS.Signals): Promise<Ending>;
  /** Settles when the process has ended. */
  readonly ended: Promise<Ending>;
}

export const PASSWORD = 'correct horse battery';

function bareEnvironment(): Record<string, string> {
  // Nothing of the machine that runs the tests may decide what the program does.
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  return { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }) };
}

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly errors: () => string;
  readonly ended: Promise<Ending>;
}

function start(words: readonly string[], environment: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, words, {
    cwd: repositoryRoot,
    env: { ...bareEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const ended = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, output, errors }));
  });
  return { child, output: () => output, errors: () => errors, ended };
}

/** Runs the program until it ends by itself. */
export function runGateway(
  environment: Readonly<Record<string, string>>,
  words: readonly string[] = [],
): Promise<Ending> {
  return start([PROGRAM, ...words], environment).ended;
}

/** Starts the program and comes back at once; its `ready` settles when everything answers, or rejects when it cannot. */
export async function launchGateway(
  options: BootOptions = {},
): Promise<BootedGateway & { readonly ready: Promise<void> }> {
  const dataFolder = options.dataFolder ?? mkdtempSync(join(tmpdir(), 'lorua-gateway-'));
  const [httpPort, opcuaPort] = [await freePort(), await freePort()];
  const environment = {
    GATEWAY_DATA: dataFolder,
    HTTP_PORT: String(httpPort),
    OPCUA_PORT: String(opcuaPort),
    OPCUA_ADVERTISED_HOSTS: '127.0.0.1',
    GATEWAY_PASSWORD: PASSWORD,
    ...options.environment,
  };
  const npm = join(repositoryRoot, 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const words = options.byNpm ? [npm, 'start', '--ignore-scripts'] : [PROGRAM];
  const { child, output, errors, ended } = start(words, environment);
  if (options.onOutput) child.stdout?.on('data', options.onOutput);
  const printed = options.readyOn === 'errors' ? errors : output;
  const ready = new Promise<void>((resolve) => {
    const look = (): void => {
      // The last line of what is printed when everything answers.
      if (/Lorua gateway \S+ is running[\s\S]*\n {2}Data /.test(printed())) resolve();
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
  });
  const early = ended.then(({ errors }) => {
    throw new Error(`the gateway ended before it was ready:\n${output()}\n${errors}`);
  });
  const tooLate = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the gateway was not ready in time:\n${output()}`));
    }, PATIENCE);
    void ended.finally(() => clearTimeout(timer));
    void ready.then(() => clearTimeout(timer));
  });
  const isUp = Promise.race([ready, early, tooLate]);
  // Once it is ready, its end is what the test wanted; and not every test waits for it.
  for (const promise of [early, isUp]) promise.catch(() => undefined);
  return {
    ready: isUp,
    dataFolder,
    httpPort,
    opcuaPort,
    web: `http://127.0.0.1:${httpPort}`,
    endpointUrl: `opc.tcp://127.0.0.1:${opcuaPort}`,
    user: options.environment?.GATEWAY_USER ?? 'admin',
    password: environment.GATEWAY_PASSWORD,
    process: child,
    output,
    ended,
    stop: (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return ended;
    },
  };
}

/** Starts the program and waits until everything answers. */
export async function bootGateway(options: BootOptions = {}): Promise<BootedGateway> {
  const gateway = await launchGateway(options);
  await gateway.ready;
  return gateway;
}

/** Whether a TCP port of this machine can be had now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** The header that a browser sends after its user has logged in. */
export function basicAuthorization(user: string, password: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

/** A token for Node-RED's admin API, or the HTTP status that refused it. */
export async function editorToken(web: string, user: string, password: string): Promise<string | number> {
  const answer = await fetch(`${web}/editor/auth/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      client_id: 'node-red-editor',
      grant_type: 'password',
      scope: '',
      username: user,
      password,
    }),
  });
  if (!answer.ok) return answer.status;
  const { access_token: token } = (await answer.json()) as { access_token: string };
  return token;
}

/** Node-RED's admin API, as the administrator; paths begin with a slash. */
export type AdminApi = (path: string, init?: RequestInit) => Promise<Response>;

/** Logs in at the first call. */
export function adminApi({ web, user, password }: BootedGateway): AdminApi {
  let token: string | number | undefined;
  return async (path, init) => {
    token ??= await editorToken(web, user, password);
    return fetch(`${web}/editor${path}`, {
      ...init,
      headers: [
        ...new Headers(init?.headers),
        ['authorization', `Bearer ${token}`],
        ['content-type', 'application/json'],
      ],
    });
  };
}
