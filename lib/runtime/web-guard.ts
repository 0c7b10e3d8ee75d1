/** Puts the login in front of the web: pages by Express, the dashboard's socket by Socket.IO. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Login } from './login';
import { ScraperToken } from './scraper-token';

const CHALLENGE = 'Basic realm="Lorua", charset="UTF-8"';

type Next = (error?: Error) => void;
export type HttpGuard = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

/** What of a Socket.IO socket the guard looks at. */
export interface GuardedSocket {
  readonly request: IncomingMessage;
  /** Socket.IO's place for what belongs to a socket. */
  data: { user?: string };
}
export type SocketGuard = (socket: GuardedSocket, next: Next) => void;

function addressOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? 'unknown';
}

/** The user that a request proves to be, `undefined` for nobody. Whatever goes wrong, nobody gets in. */
async function userBehind(login: Login, request: IncomingMessage): Promise<string | undefined> {
  try {
    return await login.userOf(request.headers.authorization, addressOf(request));
  } catch {
    return undefined;
  }
}

/**
 * Express middleware: 401 with the same answer for every cause, or on.
 * @param scraper lets in who has a login for the metrics alone
 */
export function httpGuard(login: Login, scraper = new ScraperToken(undefined)): HttpGuard {
  const admit = async (request: IncomingMessage, response: ServerResponse, next: Next): Promise<void> => {
    if (scraper.admits(request) || (await userBehind(login, request)) !== undefined) {
      next();
      return;
    }
    response.statusCode = 401;
    response.setHeader('WWW-Authenticate', CHALLENGE);
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    response.end('Log in with the name and password of the administrator.\n');
  };
  return (request, response, next) => void admit(request, response, next);
}

/**
 * Whether a request comes from a page of this very server. Browsers send the login with every request to it, so a page
 * of another site could use it otherwise. Programs send no Origin.
 */
export function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  const forwarded = request.headers['x-forwarded-host'];
  try {
    const { host: from } = new URL(origin);
    return from === host || (typeof forwarded === 'string' && from === forwarded.split(',')[0]?.trim());
  } catch {
    return false;
  }
}

/**
 * Socket.IO middleware for Dashboard 2, whose socket the guard of the pages does not cover. Notes the user at the
 * socket, from where the plugin dashboard-user takes it.
 */
export function socketGuard(login: Login): SocketGuard {
  const admit = async (socket: GuardedSocket, next: Next): Promise<void> => {
    const user = isSameOrigin(socket.request) ? await userBehind(login, socket.request) : undefined;
    if (user === undefined) {
      next(new Error('unauthorised'));
      return;
    }
    socket.data.user = user;
    next();
  };
  return (socket, next) => void admit(socket, next);
}
