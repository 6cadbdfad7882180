/** The parameter `state` of signing in through a provider: signed, so that strangers cost no memory. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ruleError } from '@dstack/contract/api';
import type { SignInProof } from '../../oidc/sign-in-providers.ts';

/** How long a person has to sign in at the provider, in µs. */
const LASTS = 10 * 60 * 1_000_000;

export interface SignInStart {
  readonly provider: string;
  /** Where a client on the user's computer waits; null: a page of this server does. */
  readonly localPort: number | null;
  /** The secret in the cookie of the browser that begins; null: a client begins, which has no cookie. */
  readonly browser: string | null;
  /** Microseconds. */
  readonly now: number;
}

/** The same form as in dstack 0.22.5: clients read `local_port`. */
interface State {
  readonly value: string;
  readonly local_port: number | null;
}

/** The state for a redirect to the provider. */
export function newState(key: Buffer, start: SignInStart): SignInProof {
  const { provider, localPort, browser, now } = start;
  const issued = Math.floor(now / 1_000_000).toString(36);
  const head = [issued, randomBytes(16).toString('base64url'), bindingOf(browser)].join('.');
  const value = `${head}.${signature(key, head, provider, localPort)}`;
  return proofOf(key, { value, local_port: localPort });
}

export type StateFault = 'invalid' | 'expired' | 'other_browser';

/** The proof that belongs to a state of this server, or why it is none. */
export function checkedState(
  key: Buffer,
  text: string,
  { provider, browser, now }: Omit<SignInStart, 'localPort'>,
): SignInProof | StateFault {
  const state = parsedState(text);
  const [issued = '', random = '', binding = '', signed = ''] = state?.value.split('.') ?? [];
  if (state === null) return 'invalid';
  const head = [issued, random, binding].join('.');
  if (!isSame(signed, signature(key, head, provider, state.local_port))) return 'invalid';
  if (now - Number.parseInt(issued, 36) * 1_000_000 > LASTS) return 'expired';
  // What a client has begun is not bound to a browser, and gives no browser a session.
  if (binding !== '' && !isSame(binding, bindingOf(browser))) return 'other_browser';
  return proofOf(key, state);
}

/** Whether a browser has begun; otherwise the client at this port waits. */
export function localPortOf(text: string): number | null {
  const state = parsedState(text);
  if (state === null) throw ruleError('Invalid state token');
  return state.local_port;
}

/** Nonce and verifier follow from the state, for those who have the key. */
function proofOf(key: Buffer, state: State): SignInProof {
  return {
    state: Buffer.from(JSON.stringify(state)).toString('base64url'),
    nonce: mac(key, `nonce ${state.value}`),
    verifier: mac(key, `verifier ${state.value}`),
  };
}

function signature(key: Buffer, head: string, provider: string, port: number | null): string {
  return mac(key, `state ${provider} ${port} ${head}`);
}

function bindingOf(browser: string | null): string {
  return browser === null ? '' : createHash('sha256').update(browser).digest('base64url');
}

function mac(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function isSame(a: string, b: string): boolean {
  const [first, second] = [Buffer.from(a), Buffer.from(b)];
  return first.length === second.length && timingSafeEqual(first, second);
}

/** `text` is base64 of `{"value": …, "local_port": …}`. */
function parsedState(text: string): State | null {
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    const port = parsed.local_port ?? null;
    const isValid = typeof parsed.value === 'string' && (port === null || isPort(port));
    return isValid ? { value: parsed.value, local_port: port } : null;
  } catch {
    // Neither base64 nor JSON: as invalid as any other text.
    return null;
  }
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65536;
}
