/**
 * A historian: an OPC UA client in a process of its own, so that its work is not taken for the server's. A parent starts
 * it by {@link HistorianClient.start} and asks it over the channel of the fork.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AggregateFunction,
  type ClientSession,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAClient,
  SecurityPolicy,
  UserTokenType,
} from 'node-opcua';
import { processedDetails, rawDetails, readHistoryPages } from './opcua-history';

export interface HistorianAccess {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

export interface HistorianQuestion {
  readonly nodeId: string;
  /** ms UTC */
  readonly from: number;
  /** ms UTC */
  readonly to: number;
  /** Absent: stored values. */
  readonly aggregate?: { readonly type: AggregateFunction; readonly interval: number };
  /** 0 or absent: the server decides. */
  readonly perPage?: number;
}

export interface HistorianAnswer {
  /** From the first request to the last answer, as the client sees it. */
  readonly seconds: number;
  /** Values with a number in them. */
  readonly count: number;
  readonly sum: number;
  readonly pages: number;
}

type Message = { readonly access: HistorianAccess } | { readonly question: HistorianQuestion };
type Reply = { readonly answer?: HistorianAnswer; readonly failure?: string };

export class HistorianClient {
  readonly #child: ChildProcess;
  readonly #gone: Promise<never>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#gone = once(child, 'exit').then((): never => {
      throw new Error('the historian has ended');
    });
    this.#gone.catch(() => undefined);
  }

  static async start(access: HistorianAccess): Promise<HistorianClient> {
    const historian = new HistorianClient(fork(__filename));
    await historian.#call({ access });
    return historian;
  }

  /** One question at a time. */
  async ask(question: HistorianQuestion): Promise<HistorianAnswer> {
    const { answer } = await this.#call({ question });
    if (answer === undefined) throw new Error('the historian gave no answer');
    return answer;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }

  async #call(message: Message): Promise<Reply> {
    const reply = once(this.#child, 'message') as Promise<[Reply]>;
    this.#child.send(message);
    const [answered] = await Promise.race([reply, this.#gone]);
    if (answered.failure !== undefined) throw new Error(answered.failure);
    return answered;
  }
}

async function ask(session: ClientSession, question: HistorianQuestion): Promise<HistorianAnswer> {
  const { nodeId, from, to, aggregate, perPage } = question;
  const details =
    aggregate === undefined
      ? rawDetails(from, to, perPage)
      : processedDetails(from, to, aggregate.type, aggregate.interval);
  let [count, sum, pages] = [0, 0, 0];
  const begun = performance.now();
  await readHistoryPages(session, nodeId, details, (values) => {
    pages++;
    for (const { value } of values)
      if (typeof value?.value === 'number') {
        count++;
        sum += value.value;
      }
  });
  return { seconds: (performance.now() - begun) / 1_000, count, sum, pages };
}

async function serve(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lorua-historian-'));
  const certificates = new OPCUACertificateManager({
    rootFolder: join(folder, 'pki'),
    automaticallyAcceptUnknownCertificate: true,
  });
  await certificates.initialize();
  const client = OPCUAClient.create({
    applicationName: 'Lorua historian',
    clientCertificateManager: certificates,
    endpointMustExist: false,
    securityPolicy: SecurityPolicy.None,
    securityMode: MessageSecurityMode.None,
    requestedSessionTimeout: 120_000,
  });
  let session: ClientSession | undefined;
  const handle = async (message: Message): Promise<Reply> => {
    if ('access' in message) {
      const { url, user, password } = message.access;
      await client.connect(url);
      session = await client.createSession({ type: UserTokenType.UserName, userName: user, password });
      return {};
    }
    if (session === undefined) throw new Error('the historian is not connected');
    return { answer: await ask(session, message.question) };
  };
  process.on('message', (message: Message) => {
    handle(message).then(
      (reply) => process.send?.(reply),
      (error: unknown) => process.send?.({ failure: String(error) } satisfies Reply),
    );
  });
  await once(process, 'disconnect');
  await session?.close().catch(() => undefined);
  await client.disconnect();
  rmSync(folder, { recursive: true, force: true });
}

if (require.main === module)
  serve().catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
