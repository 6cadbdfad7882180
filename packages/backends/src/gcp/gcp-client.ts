/** Calls of Google's services with the access token of an account. No call that changes something is repeated here. */
import { NoAnswerError } from '../base/errors.ts';
import type { AccessTokens } from '../base/rest-vm/access-tokens.ts';
import type { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import { type RestCall, RestClient } from '../base/rest-vm/rest-client.ts';
import { TokenCalls } from '../base/rest-vm/token-calls.ts';
import type { GcpEndpoints } from './endpoints.ts';
import { GCP_REFUSALS, refusalIn } from './refusals.ts';

export interface GcpClientOptions {
  readonly tokens: AccessTokens;
  readonly endpoints: GcpEndpoints;
  readonly limiter: Pick<CallLimiter, 'turn' | 'refused' | 'answered'>;
  readonly fetch?: typeof fetch;
  readonly timeoutMs?: number;
}

export type Query = Readonly<Record<string, string | number | boolean>>;

interface Page {
  readonly nextPageToken?: string;
}

const TITLE = 'GCP';
const MOST_PAGES = 1000;
const PAGE = 500;

export class GcpClient {
  readonly #calls: TokenCalls;
  readonly #compute: RestClient;
  readonly #projects: RestClient;

  constructor({ tokens, endpoints, ...options }: GcpClientOptions) {
    this.#calls = new TokenCalls(tokens);
    const { headers } = this.#calls;
    const of = (endpoint: string) =>
      new RestClient({
        ...{ ...options, title: TITLE, endpoint, headers, rules: GCP_REFUSALS, refusalIn },
      });
    this.#compute = of(endpoints.compute);
    this.#projects = of(endpoints.projects);
  }

  /** A call of Compute Engine. Throws the errors of the port. */
  async compute<T>(call: RestCall): Promise<T> {
    return (await this.timed<T>(call)).body;
  }

  /** The same, with the time of Google in µs; null = the answer lacks it. */
  async timed<T>(call: RestCall) {
    return await this.#calls.sent(call, () => this.#compute.timed<T>(call));
  }

  /** A call of Resource Manager. */
  async projects<T>(call: RestCall): Promise<T> {
    return await this.#calls.sent(call, () => this.#projects.call<T>(call));
  }

  /** All pages of a list of Compute Engine. */
  async pages<T extends Page>(path: string, query: Query = {}): Promise<readonly T[]> {
    const pages: T[] = [];
    let token: string | undefined;
    do {
      if (pages.length >= MOST_PAGES)
        throw new NoAnswerError(`${TITLE}: the pages of a list do not end`);
      const all = { ...query, maxResults: PAGE, ...(token !== undefined && { pageToken: token }) };
      const page = await this.compute<T | null>({
        ...{ method: 'GET', path: withQuery(path, all), kind: 'look' },
      });
      // An account that seems empty would end every machine that we know.
      if (page === null || typeof page !== 'object') {
        throw new NoAnswerError(`${TITLE}: a list of an unknown form`);
      }
      pages.push(page);
      token = page.nextPageToken || undefined;
    } while (token !== undefined);
    return pages;
  }
}

export function withQuery(path: string, query: Query): string {
  const text = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) text.set(key, String(value));
  return text.size === 0 ? path : `${path}?${text}`;
}
