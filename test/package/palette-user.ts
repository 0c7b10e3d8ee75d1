/** A Node-RED of somebody who has installed the package: a process of its own, with a user folder of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually';
import { freePort } from '../support/free-port';
import { repositoryRoot } from '../support/paths';
import { packageJson } from './node-sources';
import { npmPack } from './npm';

const run = promisify(execFile);

export class PaletteUser {
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #output: string[];
  readonly #url: string;

  private constructor(folder: string, child: ChildProcess, output: string[], url: string) {
    this.#folder = folder;
    this.#process = child;
    this.#output = output;
    this.#url = url;
  }

  /**
   * Packs the checkout, unpacks the tarball where the palette manager puts packages, and starts Node-RED there.
   * Dependencies come from the checkout: nothing is fetched.
   */
  static async install(): Promise<PaletteUser> {
    const folder = mkdtempSync(join(tmpdir(), 'lorua-palette-'));
    try {
      const { filename } = await npmPack(['--pack-destination', folder]);
      const userFolder = join(folder, 'user');
      const home = join(userFolder, 'node_modules', ...packageJson.name.split('/'));
      mkdirSync(home, { recursive: true });
      await run('tar', ['-xzf', join(folder, filename), '-C', home, '--strip-components=1']);
      // Beside the user folder and not in it, or Node-RED would look for nodes there as well.
      symlinkSync(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'), 'junction');
      return await PaletteUser.#start(folder, userFolder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  static async #start(folder: string, userFolder: string): Promise<PaletteUser> {
    const port = await freePort();
    const settings = {
      uiHost: '127.0.0.1',
      uiPort: port,
      flowFile: 'flows.json',
      credentialSecret: 'of a test',
      telemetry: { enabled: false, updateNotification: false },
      logging: { console: { level: 'info', metrics: false, audit: false } },
    };
    writeFileSync(join(userFolder, 'settings.js'), `module.exports = ${JSON.stringify(settings)};\n`);
    writeFileSync(join(userFolder, 'package.json'), '{ "name": "palette-user", "private": true }\n');
    const program = join(repositoryRoot, 'node_modules', 'node-red', 'red.js');
    const child = spawn(
      process.execPath,
      [program, '--settings', join(userFolder, 'settings.js'), '--userDir', userFolder],
      { cwd: userFolder, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: folder } },
    );
    const output: string[] = [];
    child.stdout.on('data', (data: Buffer) => output.push(data.toString()));
    child.stderr.on('data', (data: Buffer) => output.push(data.toString()));
    child.on('error', (error) => output.push(error.message));
    const user = new PaletteUser(folder, child, output, `http://127.0.0.1:${port}`);
    try {
      await eventually(async () => {
        if (child.exitCode !== null) return 'ended';
        return (await fetch(`http://127.0.0.1:${port}/nodes`, { headers: { accept: 'application/json' } })).ok;
      }, 'Node-RED to answer');
      if (child.exitCode !== null) throw new Error(`Node-RED ended:\n${user.output}`);
      return user;
    } catch (error) {
      await user.stop();
      throw error;
    }
  }

  /** All that Node-RED has written so far. */
  get output(): string {
    return this.#output.join('');
  }

  /** What the editor's address answers. */
  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const response = await fetch(`${this.#url}${path}`, { headers });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.text();
  }

  async getJson(path: string): Promise<unknown> {
    return JSON.parse(await this.get(path, { accept: 'application/json' })) as unknown;
  }

  /** Runs a piece of code where the package is installed; resolves with its standard output. */
  async run(code: string): Promise<string> {
    const { stdout } = await run(process.execPath, ['-e', code], { cwd: join(this.#folder, 'user') });
    return stdout;
  }

  /** Ends Node-RED and removes the folder; resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()));
      this.#process.kill('SIGTERM');
      const killer = setTimeout(() => this.#process.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(killer);
    }
    rmSync(this.#folder, { recursive: true, force: true });
    return this.#process.exitCode;
  }
}
