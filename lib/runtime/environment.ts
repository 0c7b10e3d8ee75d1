/** The settings of the standalone gateway, read from the environment: all faults at once, nothing half-configured. */
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import {
  display,
  errorText,
  type Fault,
  InvalidInputError,
  parseApplicationId,
  parseTenantId,
  REDACTED,
} from '../model';
import { type LogLevels, parseLogLevels } from './log-levels';
import { nearestName } from './nearest-name';
import { ENVIRONMENT_VARIABLES, type VariableName, variable } from './variables';

export type LogFormat = 'text' | 'json';

/** What the gateway was told. Times keep the units in their names. */
export interface GatewayEnvironment {
  /** `undefined`: the simulator runs. */
  readonly chirpstack:
    | { url: string; token: string; tenantId: string; applicationIds: readonly string[]; caFile: string }
    | undefined;
  /** `undefined`: events come by gRPC. */
  readonly mqtt: { url: string; user: string; password: string } | undefined;
  readonly pollIntervalSeconds: number;
  /** `undefined`: from the device profiles. */
  readonly staleSeconds: number | undefined;
  readonly historyDays: number;
  /** 0: no limit. */
  readonly historyMaximumMegabytes: number;
  readonly opcua: {
    port: number;
    /** Empty: all interfaces. */
    host: string;
    advertisedHosts: readonly string[];
    /** `Policy/Mode` or `None`. */
    endpoints: readonly string[];
    trustAllClients: boolean;
  };
  readonly http: { port: number; host: string };
  /** `undefined`: the metrics are for the administrator alone. */
  readonly metricsToken: string | undefined;
  /** Absolute path. */
  readonly dataFolder: string;
  readonly administrator: { user: string | undefined; password: string | undefined };
  readonly readOnly: boolean;
  readonly simulator: { devices: number; periodSeconds: number };
  readonly log: {
    levels: LogLevels;
    format: LogFormat /** Absolute path, `undefined`: no files. */;
    folder: string | undefined;
  };
}

/** The settings, and what is odd about the environment without being wrong. */
export interface ParsedEnvironment {
  readonly environment: GatewayEnvironment;
  readonly warnings: readonly Fault[];
}

const POLICIES = ['Basic256', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'];
const MODES = ['Sign', 'SignAndEncrypt'];
const DEFAULT_ENDPOINTS = POLICIES.slice(1).flatMap((policy) => MODES.map((mode) => `${policy}/${mode}`));

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*\]?)$/;

/** A text; `check` returns the rule that it breaks, or `undefined`. */
function text(check: (value: string) => string | undefined = () => undefined) {
  return z
    .string()
    .default('')
    .superRefine((value, context) => {
      const rule = value === '' ? undefined : check(value);
      if (rule !== undefined) context.addIssue({ code: 'custom', message: rule });
    });
}

/** A text made into something else by a parser that throws an InvalidInputError or returns the rule it breaks. */
function list(parse: (item: string) => string | { rule: string }) {
  return z
    .string()
    .default('')
    .transform((value, context) => {
      const items: string[] = [];
      for (const item of value.split(',').map((word) => word.trim())) {
        if (item === '') continue;
        const parsed = parse(item);
        if (typeof parsed === 'string') items.push(parsed);
        else context.addIssue({ code: 'custom', message: `${display(item)}: ${parsed.rule}` });
      }
      return items;
    });
}

function wholeNumber(minimum: number, maximum: number, standard: number | undefined) {
  return z
    .string()
    .optional()
    .transform((value, context) => {
      if (value === undefined) return standard;
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (number >= minimum && number <= maximum) return number;
      context.addIssue({ code: 'custom', message: `it must be a whole number from ${minimum} to ${maximum}` });
      return z.NEVER;
    });
}

/** A whole number that is 0 where there is no limit. */
function limit(minimum: number, maximum: number) {
  return z
    .string()
    .default('0')
    .transform((value, context) => {
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (number === 0 || (number >= minimum && number <= maximum)) return number;
      context.addIssue({ code: 'custom', message: `it must be 0 or a whole number from ${minimum} to ${maximum}` });
      return z.NEVER;
    });
}

const flag = z
  .string()
  .default('false')
  .transform((value, context) => {
    const word = value.toLowerCase();
    if (word === 'true' || word === 'false') return word === 'true';
    context.addIssue({ code: 'custom', message: 'it must be true or false' });
    return z.NEVER;
  });

/** The rule of an address that it breaks, or `undefined`. */
function addressRule(value: string, schemes: readonly string[]): string | undefined {
  const wanted = schemes.map((scheme) => `${scheme}://`).join(' or ');
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return `it must be an address that starts with ${wanted}`;
  }
  if (!schemes.includes(url.protocol.slice(0, -1))) return `it must start with ${wanted}`;
  if (url.hostname === '') return 'it must name a host';
  if (url.username !== '' || url.password !== '') return 'it must not hold a user or a password';
  if ((url.pathname !== '' && url.pathname !== '/') || url.search !== '' || url.hash !== '')
    return 'nothing may follow the port';
  return undefined;
}

function ruleOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    return error instanceof InvalidInputError ? (error.faults[0]?.rule ?? error.message) : errorText(error);
  }
}

function readableFileRule(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile() ? undefined : 'it must be a file';
  } catch (error) {
    return `it must be a readable file (${errorText(error)})`;
  }
}

function parseEndpoint(item: string): string | { rule: string } {
  if (item.toLowerCase() === 'none' || item.toLowerCase() === 'none/none') return 'None';
  const [policyWord = '', modeWord = '', ...rest] = item.split('/');
  const policy = POLICIES.find((candidate) => candidate.toLowerCase() === policyWord.trim().toLowerCase());
  const mode = MODES.find((candidate) => candidate.toLowerCase() === modeWord.trim().toLowerCase());
  if (policy === undefined) return { rule: `the policy must be None or one of ${POLICIES.join(', ')}` };
  if (mode === undefined || rest.length > 0) return { rule: 'after the policy comes /Sign or /SignAndEncrypt' };
  return `${policy}/${mode}`;
}

const hostRule = (value: string): string | undefined =>
  HOST.test(value) ? undefined : 'it must be a host name or an address';

// Control characters in a name could forge log lines.
// oxlint-disable-next-line no-control-regex
const USER_NAME = /^[^:\u0000-\u001f\u007f]{1,64}$/;

/** What a Bearer header can carry (RFC 6750 §2.1), long enough not to be guessed. */
const TOKEN = /^[A-Za-z0-9._~+/=-]{16,512}$/;

const schema = z.object({
  CHIRPSTACK_URL: text((value) => addressRule(value, ['http', 'https'])),
  CHIRPSTACK_API_TOKEN: text((value) => (/\s/.test(value) ? 'it must not hold blanks' : undefined)),
  CHIRPSTACK_TENANT_ID: text((value) => ruleOf(() => parseTenantId(value))),
  CHIRPSTACK_APPLICATION_IDS: list((item) => {
    const rule = ruleOf(() => parseApplicationId(item));
    return rule === undefined ? parseApplicationId(item) : { rule };
  }),
  CHIRPSTACK_CA_FILE: text(readableFileRule),
  CHIRPSTACK_MQTT_URL: text((value) => addressRule(value, ['mqtt', 'mqtts', 'ws', 'wss'])),
  CHIRPSTACK_MQTT_USER: text(),
  CHIRPSTACK_MQTT_PASSWORD: text(),
  POLL_INTERVAL_SECONDS: wholeNumber(5, 86_400, 60),
  STALE_SECONDS: wholeNumber(1, 31_536_000, undefined),
  HISTORY_DAYS: wholeNumber(0, 36_500, 7),
  HISTORY_MAX_MB: limit(10, 1_000_000_000),
  OPCUA_PORT: wholeNumber(1, 65_535, 4840),
  OPCUA_HOST: text(hostRule),
  OPCUA_ADVERTISED_HOSTS: list((item) => {
    const rule = hostRule(item);
    return rule === undefined ? item : { rule };
  }),
  OPCUA_SECURITY: list(parseEndpoint),
  OPCUA_TRUST_ALL_CLIENTS: flag,
  HTTP_PORT: wholeNumber(1, 65_535, 1880),
  HTTP_HOST: text(hostRule),
  METRICS_TOKEN: text((value) =>
    TOKEN.test(value) ? undefined : 'it must have 16 to 512 characters of A-Z a-z 0-9 . _ ~ + / = -',
  ),
  GATEWAY_DATA: text(),
  GATEWAY_USER: text((value) =>
    USER_NAME.test(value) ? undefined : 'it must have 1 to 64 characters, no colon and no control characters',
  ),
  GATEWAY_PASSWORD: text((value) =>
    value.length < 8 || value.length > 256 ? 'it must have 8 to 256 characters' : undefined,
  ),
  GATEWAY_READ_ONLY: flag,
  SIMULATOR_DEVICES: wholeNumber(1, 5000, 30),
  SIMULATOR_PERIOD_SECONDS: wholeNumber(1, 86_400, 10),
  LOG_LEVEL: z
    .string()
    .default('info')
    .transform((value, context): LogLevels => {
      const levels = parseLogLevels(value);
      if (!('rule' in levels)) return levels;
      context.addIssue({ code: 'custom', message: levels.rule });
      return z.NEVER;
    }),
  LOG_FORMAT: z
    .string()
    .default('text')
    .transform((value, context): LogFormat => {
      const word = value.toLowerCase();
      if (word === 'text' || word === 'json') return word;
      context.addIssue({ code: 'custom', message: 'it must be text or json' });
      return z.NEVER;
    }),
  LOG_FILES: flag,
  LOG_FOLDER: text(),
} satisfies Record<VariableName, z.ZodType>);

function fault(name: VariableName, value: string | undefined, rule: string): Fault {
  const { secret, cure } = variable(name);
  const shown = value === undefined ? 'not set' : secret ? REDACTED : display(value);
  return { field: name, value: shown, rule, cure };
}

/** What no single variable can tell: rules between two. Checked on the raw texts, so that all faults come at once. */
function faultsBetween(raw: Readonly<Partial<Record<VariableName, string>>>): Fault[] {
  const faults: Fault[] = [];
  const needs = (name: VariableName, other: VariableName, rule: string): void => {
    if (raw[name] !== undefined && raw[other] === undefined) faults.push(fault(other, undefined, rule));
  };
  needs('CHIRPSTACK_URL', 'CHIRPSTACK_API_TOKEN', 'a real ChirpStack asks for an API token');
  needs('CHIRPSTACK_API_TOKEN', 'CHIRPSTACK_URL', 'an API token needs the address it is for');
  needs('CHIRPSTACK_MQTT_URL', 'CHIRPSTACK_URL', 'devices and applications are listed by the API, not by MQTT');
  needs('CHIRPSTACK_MQTT_USER', 'CHIRPSTACK_MQTT_URL', 'a broker user needs the address of the broker');
  needs('CHIRPSTACK_MQTT_PASSWORD', 'CHIRPSTACK_MQTT_USER', 'a broker password needs a user');
  if (raw.GATEWAY_PASSWORD !== undefined && raw.GATEWAY_PASSWORD === (raw.GATEWAY_USER ?? 'admin'))
    faults.push(fault('GATEWAY_PASSWORD', raw.GATEWAY_PASSWORD, 'it must not be the user name'));
  if (raw.OPCUA_PORT !== undefined && raw.OPCUA_PORT === (raw.HTTP_PORT ?? '1880'))
    faults.push(fault('OPCUA_PORT', raw.OPCUA_PORT, 'it must differ from HTTP_PORT'));
  else if (raw.HTTP_PORT !== undefined && raw.HTTP_PORT === (raw.OPCUA_PORT ?? '4840'))
    faults.push(fault('HTTP_PORT', raw.HTTP_PORT, 'it must differ from OPCUA_PORT'));
  return faults;
}

/** Secrets that hold no blanks. */
const TOKENS: ReadonlySet<string> = new Set<VariableName>(['CHIRPSTACK_API_TOKEN', 'METRICS_TOKEN']);

/** Prefixes under which a name that nobody knows is probably a slip of the pen. */
const OUR_PREFIXES = /^(?:CHIRPSTACK|GATEWAY|OPCUA|SIMULATOR)_/;
const NAMES = ENVIRONMENT_VARIABLES.map(({ name }) => name);

function unknownNames(variables: NodeJS.ProcessEnv): Fault[] {
  return Object.keys(variables)
    .filter((name) => OUR_PREFIXES.test(name) && !(NAMES as readonly string[]).includes(name))
    .sort()
    .map((name) => {
      const nearest = nearestName(name, NAMES);
      return {
        field: name,
        // It may be a secret under a wrong name.
        value: REDACTED,
        rule: 'there is no such setting, so it has no effect',
        cure: nearest === undefined ? 'Remove it.' : `Did you mean ${nearest}?`,
      };
    });
}

/**
 * Reads the settings.
 * @param variables usually `process.env`
 * @param defaultDataFolder used when GATEWAY_DATA is not set
 * @throws InvalidInputError with every fault found
 */
export function parseEnvironment(variables: NodeJS.ProcessEnv, defaultDataFolder: string): ParsedEnvironment {
  const raw: Partial<Record<VariableName, string>> = {};
  for (const { name, ...rest } of ENVIRONMENT_VARIABLES) {
    const value = variables[name];
    // Blanks around a value come from files and shells, but inside of quotes a password may want them.
    const trimmed = 'secret' in rest && !TOKENS.has(name) ? value : value?.trim();
    if (trimmed !== undefined && trimmed !== '') raw[name] = trimmed;
  }
  const parsed = schema.safeParse(raw);
  const between = faultsBetween(raw);
  if (!parsed.success || between.length > 0) {
    const issues = parsed.success ? [] : parsed.error.issues;
    const single = issues.map((issue) => {
      const name = issue.path[0] as VariableName;
      return fault(name, raw[name], issue.message);
    });
    throw new InvalidInputError([...single, ...between]);
  }
  const values = parsed.data;
  const dataFolder = resolve(values.GATEWAY_DATA || defaultDataFolder);
  const logFolder = values.LOG_FOLDER || (values.LOG_FILES ? resolve(dataFolder, 'logs') : undefined);
  return {
    warnings: unknownNames(variables),
    environment: {
      chirpstack:
        values.CHIRPSTACK_URL === ''
          ? undefined
          : {
              url: values.CHIRPSTACK_URL,
              token: values.CHIRPSTACK_API_TOKEN,
              tenantId: values.CHIRPSTACK_TENANT_ID,
              applicationIds: values.CHIRPSTACK_APPLICATION_IDS,
              caFile: values.CHIRPSTACK_CA_FILE === '' ? '' : resolve(values.CHIRPSTACK_CA_FILE),
            },
      mqtt:
        values.CHIRPSTACK_MQTT_URL === ''
          ? undefined
          : {
              url: values.CHIRPSTACK_MQTT_URL,
              user: values.CHIRPSTACK_MQTT_USER,
              password: values.CHIRPSTACK_MQTT_PASSWORD,
            },
      pollIntervalSeconds: values.POLL_INTERVAL_SECONDS ?? 60,
      staleSeconds: values.STALE_SECONDS,
      historyDays: values.HISTORY_DAYS ?? 7,
      historyMaximumMegabytes: values.HISTORY_MAX_MB,
      opcua: {
        port: values.OPCUA_PORT ?? 4840,
        host: values.OPCUA_HOST,
        advertisedHosts: values.OPCUA_ADVERTISED_HOSTS,
        endpoints: values.OPCUA_SECURITY.length > 0 ? [...new Set(values.OPCUA_SECURITY)] : DEFAULT_ENDPOINTS,
        trustAllClients: values.OPCUA_TRUST_ALL_CLIENTS,
      },
      http: { port: values.HTTP_PORT ?? 1880, host: values.HTTP_HOST || '127.0.0.1' },
      metricsToken: values.METRICS_TOKEN || undefined,
      dataFolder,
      administrator: { user: values.GATEWAY_USER || undefined, password: values.GATEWAY_PASSWORD || undefined },
      readOnly: values.GATEWAY_READ_ONLY,
      simulator: { devices: values.SIMULATOR_DEVICES ?? 30, periodSeconds: values.SIMULATOR_PERIOD_SECONDS ?? 10 },
      log: {
        levels: values.LOG_LEVEL,
        format: values.LOG_FORMAT,
        folder: logFolder === undefined ? undefined : resolve(logFolder),
      },
    },
  };
}
