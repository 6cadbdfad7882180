/** The parameter `state` of signing in through a provider: signed, so that strangers cost no memory. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ruleError } from '@dstack/contract/api';
import { networkOf } from '@dstack/proxy';
import type { SignInProof } from '../../oidc/sign-in-providers.ts';
import { type StateFault, stateError } from './sign-in-faults.ts';

/** How long a person has to sign in at the provider, in µs. */
const LASTS = 10 * 60 * 1_000_000;
/** The same where nothing but the address ties the end to the client that began. */
const LASTS_UNPROVEN = 5 * 60 * 1_000_000;

/** Servers differ by less, in µs; a state has whole seconds. */
const TOLERANCE = 5 * 1_000_000;

/**
 * Who begins, and must end:
 * - `browser`: by the secret in its cookie.
 * - `client`: a program at `port` of the user's computer. With a `challenge` it proves itself by the verifier, without
 *   one by its address alone.
 */
export type SignInStarter =
  | { readonly kind: 'browser'; readonly secret: string }
  | {
      readonly kind: 'client';
      readonly port: number;
      readonly challenge: string | null;
      readonly address: string;
    };

export interface SignInStart {
  readonly provider: string;
  readonly starter: SignInStarter;
  /** Microseconds. */
  readonly now: number;
}

/** The end of a sign-in: its provider, the proofs of the one who ends it, and the time. */
export interface SignInEnd {
  readonly provider: string;
  /** Secrets of the browser's cookies. */
  readonly browsers: readonly string[];
  readonly verifier: string | null;
  readonly address: string;
  /** Microseconds. */
  readonly now: number;
}

/** The same form as in dstack 0.22.5: clients read `local_port`. */
interface State {
  readonly value: string;
  readonly local_port: number | null;
}

/** The state for a redirect to the provider. */
export function newState(key: Buffer, { provider, starter, now }: SignInStart): SignInProof {
  const port = starter.kind === 'client' ? starter.port : null;
  const issued = Math.floor(now / 1_000_000).toString(36);
  const random = randomBytes(16).toString('base64url');
  const head = [issued, random, bindingOf(key, starter)].join('.');
  const value = `${head}.${signature(key, head, provider, port)}`;
  return proofOf(key, { value, local_port: port });
}

/** The proof that belongs to a state of this server, or why it is none. */
export function checkedState(
  key: Buffer,
  text: string,
  { provider, browsers, verifier, address, now }: SignInEnd,
): SignInProof | StateFault {
  const read = readState(key, text, provider);
  if (read === null) return 'invalid';
  const { state, issued, binding } = read;
  if (isExpired(issued, binding, now)) return 'expired';
  switch (binding.kind) {
    case 'browser':
      if (!browsers.some((secret) => isSame(binding.digest, digestOf(secret)))) {
        return 'other_browser';
      }
      break;
    case 'challenge':
      if (verifier === null || !isSame(binding.challenge, digestOf(verifier))) {
        return 'other_program';
      }
      break;
    case 'address':
      if (!isSame(binding.address, addressDigest(key, address))) return 'other_address';
  }
  return proofOf(key, state);
}

/** A client that waits for the end of its sign-in. */
export interface WaitingClient {
  readonly provider: string;
  readonly port: number;
  readonly proof: SignInProof;
  /** It has sent a challenge. */
  readonly isProven: boolean;
  /** It has, and began at the address of the browser. */
  readonly isSure: boolean;
}

/** The client that waits, if one has begun; null: a page of this server. Throws `ApiError`. */
export function waitingClient(
  key: Buffer,
  text: string,
  { providers, address, now }: { providers: readonly string[]; address: string; now: number },
): WaitingClient | null {
  const port = localPortOf(text);
  if (port === null) return null;
  for (const provider of providers) {
    const read = readState(key, text, provider);
    // A state of another signature would skip the question, and the code would still be valid with the true one.
    if (read === null || read.binding.kind === 'browser') continue;
    const { binding, state, issued } = read;
    if (isExpired(issued, binding, now)) throw stateError('expired');
    const isProven = binding.kind === 'challenge';
    const isNear = isSame(binding.address, addressDigest(key, address));
    return { provider, port, proof: proofOf(key, state), isProven, isSure: isProven && isNear };
  }
  throw ruleError('Invalid state token');
}

type Binding =
  | { readonly kind: 'browser'; readonly digest: string }
  | { readonly kind: 'challenge'; readonly challenge: string; readonly address: string }
  | { readonly kind: 'address'; readonly address: string };

function isExpired(issued: number, binding: Binding, now: number): boolean {
  const age = now - issued;
  // One from the future would last until the clock, which was set back, is there again.
  return age > (binding.kind === 'address' ? LASTS_UNPROVEN : LASTS) || age < -TOLERANCE;
}

/** Null: no state of this server for the provider. */
function readState(
  key: Buffer,
  text: string,
  provider: string,
): { readonly state: State; readonly issued: number; readonly binding: Binding } | null {
  const state = parsedState(text);
  if (state === null) return null;
  const [issued = '', random = '', bound = '', signed = ''] = state.value.split('.');
  const head = [issued, random, bound].join('.');
  if (!isSame(signed, signature(key, head, provider, state.local_port))) return null;
  return { state, issued: Number.parseInt(issued, 36) * 1_000_000, binding: bindingIn(bound) };
}

function bindingIn(bound: string): Binding {
  const [kind = '', first = '', address = ''] = bound.split('~');
  if (kind === 'c') return { kind: 'challenge', challenge: first, address };
  return kind === 'a' ? { kind: 'address', address: first } : { kind: 'browser', digest: bound };
}

function bindingOf(key: Buffer, starter: SignInStarter): string {
  if (starter.kind === 'browser') return digestOf(starter.secret);
  const address = addressDigest(key, starter.address);
  return starter.challenge === null ? `a~${address}` : `c~${starter.challenge}~${address}`;
}

/** Whether a browser has begun; otherwise the client at this port waits. Nothing is checked. */
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

function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** A digest of the caller's network: a computer changes its address within a network of IPv6. */
function addressDigest(key: Buffer, address: string): string {
  return mac(key, `address ${networkOf(address)}`);
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
