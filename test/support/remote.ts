/**
 * Functions of another process of this program, called over the channel of a fork: servers and clients that are measured
 * must not be measured with each other, nor with the test.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** What a process can be asked: one argument, and a result that goes through JSON. */
export type Services = Readonly<Record<string, (argument: never) => unknown>>;

type Argument<S extends Services, Name extends keyof S> = Parameters<S[Name]>[0];
type Result<S extends Services, Name extends keyof S> = Awaited<ReturnType<S[Name]>>;

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: string;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Remote<S extends Services> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<unknown>;
  #calls = 0;

  /** @param file compiled module that calls {@link offer} when it is the main one */
  constructor(file: string, options: { readonly exposesGarbageCollector?: boolean } = {}) {
    this.#child = fork(file, {
      execArgv: ['--enable-source-maps', ...(options.exposesGarbageCollector ? ['--expose-gc'] : [])],
    });
    this.#ended = once(this.#child, 'exit');
    this.#child.on('message', ({ id, result, failure }: Reply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (failure === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(failure));
    });
    this.#child.on('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} has ended with ${code}`));
      this.#waiting.clear();
    });
  }

  /** Process id, for looking at it from outside. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  call<Name extends keyof S & string>(name: Name, argument: Argument<S, Name>): Promise<Result<S, Name>> {
    const id = ++this.#calls;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.send({ id, name, argument } satisfies Call);
    return answer as Promise<Result<S, Name>>;
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }
}

/**
 * Answers calls until the parent lets go, then cleans up and ends.
 * @param services by their names
 */
export async function offer(services: Services, cleanUp: () => Promise<void>): Promise<void> {
  const answer = async ({ id, name, argument }: Call): Promise<Reply> => {
    try {
      const service = services[name] as ((argument: unknown) => unknown) | undefined;
      if (service === undefined) throw new Error(`there is no ${name}`);
      return { id, result: await service(argument) };
    } catch (error) {
      return { id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  process.on('message', (call: Call) => void answer(call).then((reply) => process.send?.(reply)));
  await once(process, 'disconnect');
  await cleanUp();
}
