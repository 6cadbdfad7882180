/** Slows down whoever tries tokens: a limit of wrong ones per address, in the memory of this server. */
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { ApiError, invalidToken } from '@dstack/contract/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ProxyRefusal } from '../proxy/refusal.ts';
import { bearerToken } from './identity.ts';
import type { HttpDeps } from './ports.ts';

const WINDOW_MS = 60_000;

/** Addresses and tokens remembered; the oldest go first. */
const MAX_REMEMBERED = 10_000;

interface Failures {
  readonly since: number;
  count: number;
}

export class SignInGuard {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #failures = new Map<string, Failures>();
  readonly #good = new Set<string>();

  /** `limit`: wrong tokens per minute and address; 0 = none. `now` in milliseconds. */
  constructor(limit: number, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /**
   * Seconds until the address may try again, 0 = now. A token that was right from this address lets
   * its owner through: one broken program must not lock out its neighbours.
   */
  wait(address: string, token: string): number {
    const failures = this.#current(network(address));
    if (this.#limit === 0 || !failures || failures.count < this.#limit) return 0;
    if (this.#good.has(fingerprint(address, token))) return 0;
    return Math.ceil((failures.since + WINDOW_MS - this.#now()) / 1000);
  }

  failed(address: string, token: string): void {
    if (this.#limit === 0) return;
    this.#good.delete(fingerprint(address, token));
    const key = network(address);
    const failures = this.#current(key) ?? { since: this.#now(), count: 0 };
    failures.count += 1;
    this.#failures.set(key, failures);
    forgetOldest(this.#failures);
  }

  succeeded(address: string, token: string): void {
    if (this.#limit === 0) return;
    this.#good.add(fingerprint(address, token));
    forgetOldest(this.#good);
  }

  #current(key: string): Failures | undefined {
    const failures = this.#failures.get(key);
    if (failures && this.#now() - failures.since < WINDOW_MS) return failures;
    this.#failures.delete(key);
    return undefined;
  }
}

/** Marks routes that only somebody signed in gets a 200 from. */
export interface GuardedRoute {
  readonly asksForUser?: boolean;
}

/** Holds for every path of the application. */
export function guardSignIns(app: FastifyInstance, deps: HttpDeps): void {
  const guard = new SignInGuard(
    deps.settings.failedLoginsPerMinute,
    () => deps.context().now / 1000,
  );
  const tokenOf = (request: FastifyRequest) => bearerToken(request.headers.authorization);
  app.addHook('onRequest', async (request, reply) => {
    const token = tokenOf(request);
    const seconds = token === null ? 0 : guard.wait(request.ip, token);
    if (seconds === 0) return;
    reply.header('retry-after', seconds);
    throw Object.assign(new Error('Too many wrong tokens from this address'), { statusCode: 429 });
  });
  app.addHook('onError', async (request, _reply, error) => {
    const token = tokenOf(request);
    if (token !== null && isInvalidToken(error)) guard.failed(request.ip, token);
  });
  app.addHook('onResponse', async (request, reply) => {
    const token = tokenOf(request);
    const { asksForUser } = request.routeOptions.config as GuardedRoute;
    if (token !== null && asksForUser && reply.statusCode === 200) {
      guard.succeeded(request.ip, token);
    }
  });
}

/** The proxy refuses in words of its own and gives ours as the cause. */
function isInvalidToken(error: unknown): boolean {
  const { status, msg } = invalidToken();
  const own = error instanceof ProxyRefusal ? error.cause : error;
  return own instanceof ApiError && own.status === status && own.msg === msg;
}

/** One holder of an IPv6 address has a /64 of them. */
function network(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').length;
  const full = [...groups, ...Array<string>(missing).fill('0'), ...(tail?.split(':') ?? [])];
  return full.slice(0, 4).join(':');
}

/** Tokens are not kept in the clear. */
function fingerprint(address: string, token: string): string {
  return createHash('sha256')
    .update(`${network(address)} ${token}`)
    .digest('base64');
}

function forgetOldest(remembered: {
  readonly size: number;
  keys(): Iterator<string>;
  delete(key: string): boolean;
}): void {
  if (remembered.size <= MAX_REMEMBERED) return;
  const oldest = remembered.keys().next();
  if (!oldest.done) remembered.delete(oldest.value);
}
