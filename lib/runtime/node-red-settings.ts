/** The settings with which the standalone gateway runs Node-RED (https://nodered.org/docs/user-guide/runtime/settings-file). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LogSink } from '../model';
import type { GatewayEnvironment } from './environment';
import { mostTalkative } from './log-levels';
import type { Login } from './login';
import { nodeRedLogHandler } from './node-red-records';
import { ScraperToken } from './scraper-token';
import { httpGuard, socketGuard } from './web-guard';

export interface NodeRedSettingsInput {
  readonly environment: GatewayEnvironment;
  /** Folder with the package.json of this package: Node-RED loads the nodes from there. */
  readonly packageRoot: string;
  readonly flowFile: string;
  readonly credentialSecret: string;
  readonly login: Login;
  readonly sink: LogSink;
}

/** Paths below the address of the web server. */
export const EDITOR_PATH = '/editor';
export const DASHBOARD_PATH = '/dashboard';

/** ms that Node-RED gives its nodes to close: the program must be gone within 5 s. */
const NODE_CLOSE_TIMEOUT = 4_000;
/** Neither on nor off, which is off without the warning that Node-RED gives for either. */
const NO_PROJECTS = {};
/** s an editor session lasts. */
const EDITOR_SESSION = 12 * 60 * 60;

/** The bare address leads to the dashboard. */
function toDashboard(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  if (request.method !== 'GET' || request.url !== '/') {
    next();
    return;
  }
  response.writeHead(302, { Location: DASHBOARD_PATH });
  response.end();
}

function protectEditor(_request: IncomingMessage, response: ServerResponse, next: () => void): void {
  response.setHeader('X-Frame-Options', 'SAMEORIGIN');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'same-origin');
  next();
}

function adminAuth(login: Login) {
  // Node-RED gives no address here, and locks a name after five failures by itself.
  const identity = (username: string) => ({ username, permissions: '*' });
  return {
    type: 'credentials',
    sessionExpiryTime: EDITOR_SESSION,
    users: (username: string) => Promise.resolve(login.hasAccount(username) ? identity(username) : null),
    authenticate: async (username: string, password: string) =>
      (await login.check(username, password, 'editor')) ? identity(username) : null,
  };
}

export function nodeRedSettings(input: NodeRedSettingsInput): Readonly<Record<string, unknown>> {
  const { environment, login } = input;
  const editor = environment.readOnly
    ? { httpAdminRoot: false, readOnly: true, editorTheme: { projects: NO_PROJECTS } }
    : {
        httpAdminRoot: EDITOR_PATH,
        httpAdminMiddleware: protectEditor,
        adminAuth: adminAuth(login),
        editorTheme: {
          page: { title: 'Lorua' },
          header: { title: 'Lorua gateway' },
          tours: false,
          projects: NO_PROJECTS,
          multiplayer: { enabled: true },
        },
      };
  return {
    ...editor,
    userDir: environment.dataFolder,
    flowFile: input.flowFile,
    flowFilePretty: true,
    credentialSecret: input.credentialSecret,
    nodesDir: [input.packageRoot],
    uiHost: environment.http.host,
    uiPort: environment.http.port,
    httpNodeAuth: [httpGuard(login, new ScraperToken(environment.metricsToken)), toDashboard],
    dashboard: { ioMiddleware: socketGuard(login) },
    nodeCloseTimeout: NODE_CLOSE_TIMEOUT,
    // A plant's gateway loads no code from the internet while it runs.
    externalModules: {
      autoInstall: false,
      palette: { allowInstall: false, allowUpload: false },
      modules: { allowInstall: false },
    },
    functionExternalModules: false,
    exportGlobalContextKeys: false,
    contextStorage: { default: { module: 'memory' }, disk: { module: 'localfilesystem' } },
    telemetry: { enabled: false, updateNotification: false },
    diagnostics: { enabled: true, ui: true },
    runtimeState: { enabled: false, ui: false },
    logging: {
      lorua: {
        level: mostTalkative(environment.log.levels),
        metrics: false,
        audit: false,
        handler: () => nodeRedLogHandler(input.sink),
      },
    },
  };
}
