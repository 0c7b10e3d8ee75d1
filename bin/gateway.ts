#!/usr/bin/env node
/** The standalone gateway: checks its settings, prepares the data folder, runs Node-RED with the reference flow. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  checkNodeVersion,
  createLogger,
  errorText,
  type Fault,
  faultText,
  InvalidInputError,
  type Logger,
  packageVersion,
  systemClock,
} from '../lib/model';
import {
  type Administrator,
  bannerLines,
  FORGOTTEN_VARIABLES,
  findListenFault,
  flowVariables,
  type GatewayEnvironment,
  Login,
  lastingSecret,
  nodeRedSettings,
  openDataFolder,
  openGatewayLog,
  parseEnvironment,
  sealedFlow,
  settleAdministrator,
  settleUserFlow,
} from '../lib/runtime';
import { helpText, parseArguments } from './arguments';
import { startNodeRed } from './node-red';
import { watchProcessEnd } from './process-end';
import { simulatorAccess } from './simulator-access';

// dist/bin in the package and in a checkout.
const packageRoot = dirname(dirname(__dirname));

function defaultDataFolder(): string {
  // Sources are there in a checkout and not in the installed package.
  return existsSync(join(packageRoot, 'tsconfig.json')) ? join(packageRoot, 'data') : join(homedir(), '.lorua');
}

function refuseToStart(faults: readonly Fault[]): never {
  process.stderr.write('lorua-gateway cannot start:\n');
  for (const fault of faults) process.stderr.write(`  ${faultText(fault)}\n`);
  process.exit(1);
}

/** Settles what must be right before anything is opened: settings, data folder, web port. Exits with all faults. */
async function prepare(): Promise<{ environment: GatewayEnvironment; warnings: readonly Fault[] }> {
  try {
    checkNodeVersion(process.versions.node);
    const parsed = parseEnvironment(process.env, defaultDataFolder());
    openDataFolder(parsed.environment.dataFolder);
    const { host, port } = parsed.environment.http;
    const fault = await findListenFault(host, port);
    if (fault !== undefined) throw new InvalidInputError([fault]);
    return parsed;
  } catch (error) {
    if (error instanceof InvalidInputError) refuseToStart(error.faults);
    throw error;
  }
}

function settleFlow(environment: GatewayEnvironment, secret: string, logger: Logger): string {
  const shipped = {
    flow: join(packageRoot, 'flows', 'gateway.json'),
    credentials: join(packageRoot, 'flows', 'gateway_cred.json'),
    version: packageVersion(),
  };
  if (environment.readOnly) return sealedFlow(environment.dataFolder, shipped, secret);
  const { file, outcome } = settleUserFlow(environment.dataFolder, shipped, secret);
  if (outcome.kind === 'created')
    logger.info({ operation: 'configure', event: 'created', message: 'the reference flow is yours now', file });
  if (outcome.kind === 'offered')
    logger.info({
      operation: 'configure',
      event: 'added',
      message: 'there is a new reference flow; yours was not touched',
      cure: 'To use it: editor, menu, Import, select a file; it brings its own tabs.',
      file: outcome.file,
    });
  return file;
}

function tellAccount(administrator: Administrator, logger: Logger): void {
  if (administrator.outcome === 'kept') return;
  logger.info({
    operation: 'configure',
    event: administrator.outcome,
    message: 'the administrator account was written',
    user: administrator.name,
  });
}

/** A generated password is stored as a hash before the start is through: should that fail, it is shown all the same. */
function showOnce(generated: string | undefined): { take(): string | undefined } {
  let pending = generated;
  process.on('exit', () => {
    if (pending !== undefined)
      process.stderr.write(`Password of the administrator, shown only this once: ${pending}\n`);
  });
  return {
    take: () => {
      pending = undefined;
      return generated;
    },
  };
}

async function run(): Promise<void> {
  // Node-RED writes sessions and settings into the data folder too: nobody else is to read them.
  process.umask(0o077);
  const { environment, warnings } = await prepare();
  const log = openGatewayLog(environment.log, systemClock, (line) => void process.stdout.write(`${line}\n`));
  process.on('exit', () => log.finish());
  const logger = createLogger('runtime', log.sink);
  const end = watchProcessEnd(logger);
  for (const warning of warnings)
    logger.warn({
      operation: 'configure',
      event: 'ignored',
      reason: 'bad-setting',
      message: `${warning.field}: ${warning.rule}`,
      cure: warning.cure,
    });
  if (environment.opcua.trustAllClients)
    logger.warn({
      operation: 'configure',
      event: 'changed',
      reason: 'untrusted-certificate',
      message: 'every OPC UA client certificate is trusted (OPCUA_TRUST_ALL_CLIENTS)',
      cure: 'Use this on test benches only.',
    });

  const administrator = await settleAdministrator(environment.dataFolder, environment.administrator);
  tellAccount(administrator, logger);
  const password = showOnce(administrator.generatedPassword);
  const simulator = environment.chirpstack === undefined ? await simulatorAccess() : undefined;
  const credentialSecret = lastingSecret(join(environment.dataFolder, 'credential-secret'));
  const mqttClientId = `lorua-${createHash('sha256').update(credentialSecret).digest('hex').slice(0, 12)}`;
  Object.assign(process.env, flowVariables(environment, administrator, simulator, mqttClientId));
  for (const name of FORGOTTEN_VARIABLES) delete process.env[name];

  const settings = nodeRedSettings({
    environment,
    packageRoot,
    flowFile: settleFlow(environment, credentialSecret, logger),
    credentialSecret,
    login: new Login([administrator], { clock: systemClock, logger: createLogger('dashboard', log.sink) }),
    sink: log.sink,
  });
  end.nodeRedIsRunning();
  const { endpointUrls } = await startNodeRed(settings, environment.dataFolder);
  const banner = bannerLines({
    version: packageVersion(),
    environment,
    endpointUrls,
    user: administrator.name,
    generatedPassword: password.take(),
  });
  // The password must not get into log files, and JSON on standard output stays JSON.
  const stream = environment.log.format === 'json' ? process.stderr : process.stdout;
  stream.write(`${banner.join('\n')}\n`);
}

async function main(): Promise<void> {
  const command = parseArguments(process.argv.slice(2));
  if (command === 'help') process.stdout.write(helpText());
  else if (command === 'version') process.stdout.write(`${packageVersion()}\n`);
  else if (command === 'run') await run();
  else
    refuseToStart([
      {
        field: 'Argument',
        value: command.unknown,
        rule: 'only --help and --version are known',
        cure: 'Settings are environment variables: see --help.',
      },
    ]);
}

main().catch((error: unknown) => {
  if (error instanceof InvalidInputError) refuseToStart(error.faults);
  const missing = error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND';
  process.stderr.write(
    missing
      ? `lorua-gateway cannot start: ${errorText(error).split('\n')[0] ?? ''}. Install it beside this package: npm install node-red @flowfuse/node-red-dashboard\n`
      : `lorua-gateway cannot start: ${error instanceof Error ? (error.stack ?? error.message) : errorText(error)}\n`,
  );
  process.exit(1);
});
