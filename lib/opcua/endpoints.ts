/** Security endpoints: which policies and modes a server offers (Part 4 §7.14, Part 7 security categories). */
import type { FaultCollector } from '../model';

export const SECURITY_POLICIES = [
  'None',
  'Basic256',
  'Basic256Sha256',
  'Aes128_Sha256_RsaOaep',
  'Aes256_Sha256_RsaPss',
] as const;
export type SecurityPolicyName = (typeof SECURITY_POLICIES)[number];

export const SECURITY_MODES = ['None', 'Sign', 'SignAndEncrypt'] as const;
export type SecurityModeName = (typeof SECURITY_MODES)[number];

export interface SecurityEndpoint {
  readonly policy: SecurityPolicyName;
  /** `None` exactly when the policy is `None`. */
  readonly mode: SecurityModeName;
}

/** The policies that are neither obsolete nor empty, signed with and without encryption. */
export const DEFAULT_ENDPOINTS: readonly SecurityEndpoint[] = (
  ['Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'] as const
).flatMap((policy) => [
  { policy, mode: 'Sign' as const },
  { policy, mode: 'SignAndEncrypt' as const },
]);

/** How an endpoint is written in settings: `Basic256Sha256/SignAndEncrypt`, or `None`. */
export function endpointText(endpoint: SecurityEndpoint): string {
  return endpoint.policy === 'None' ? 'None' : `${endpoint.policy}/${endpoint.mode}`;
}

/** Whether an endpoint protects less than is right today: no security, or a policy that Part 7 calls obsolete. */
export function isWeak(endpoint: SecurityEndpoint): boolean {
  return endpoint.policy === 'None' || endpoint.policy === 'Basic256';
}

function fitting<Name extends string>(names: readonly Name[], text: string): Name | undefined {
  return names.find((name) => name.toLowerCase() === text.toLowerCase());
}

const RULE = 'an endpoint is a policy and a mode, like Basic256Sha256/SignAndEncrypt, or None';
const CURE = `Policies are ${SECURITY_POLICIES.join(', ')}; modes are Sign and SignAndEncrypt.`;

function parseOne(item: unknown, field: string, faults: FaultCollector): SecurityEndpoint[] {
  let policyText: unknown;
  let modeText: unknown;
  if (typeof item === 'string') {
    const [first = '', ...rest] = item.split('/').map((part) => part.trim());
    policyText = first;
    modeText = rest.length > 0 ? rest.join('/') : undefined;
  } else if (typeof item === 'object' && item !== null) {
    policyText = 'policy' in item ? item.policy : undefined;
    modeText = 'mode' in item ? item.mode : undefined;
  }
  const policy = typeof policyText === 'string' ? fitting(SECURITY_POLICIES, policyText) : undefined;
  const mode = typeof modeText === 'string' ? fitting(SECURITY_MODES, modeText) : undefined;
  if (policy === 'None' && (modeText === undefined || mode === 'None')) return [{ policy, mode: 'None' }];
  if (policy !== undefined && policy !== 'None') {
    // A policy alone means both modes that protect.
    if (modeText === undefined)
      return [
        { policy, mode: 'Sign' },
        { policy, mode: 'SignAndEncrypt' },
      ];
    if (mode === 'Sign' || mode === 'SignAndEncrypt') return [{ policy, mode }];
  }
  faults.add(field, item, RULE, CURE);
  return [];
}

/**
 * Reads endpoints given as comma-separated text or as a list of texts or `{policy, mode}`; nothing given means
 * {@link DEFAULT_ENDPOINTS}. Doubles are dropped. Faults are collected.
 */
export function parseEndpoints(input: unknown, field: string, faults: FaultCollector): readonly SecurityEndpoint[] {
  if (input === undefined || input === null) return DEFAULT_ENDPOINTS;
  if (typeof input !== 'string' && !Array.isArray(input)) {
    faults.add(field, input, RULE, CURE);
    return DEFAULT_ENDPOINTS;
  }
  const items: readonly unknown[] =
    typeof input === 'string'
      ? input
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== '')
      : input;
  if (items.length === 0) return DEFAULT_ENDPOINTS;
  const byText = new Map<string, SecurityEndpoint>();
  for (const item of items)
    for (const endpoint of parseOne(item, field, faults)) byText.set(endpointText(endpoint), endpoint);
  return [...byText.values()];
}
