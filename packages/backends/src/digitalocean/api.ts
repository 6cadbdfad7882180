/** The calls of DigitalOcean's API (v2) that this adapter makes. AMD Developer Cloud has the same API. */
import { NoAnswerError } from '../base/errors.ts';
import type { CallKind } from '../base/rest-vm/call-limiter.ts';
import type { TimedKeys } from '../base/rest-vm/key-claims.ts';
import type { RefusalRule } from '../base/rest-vm/refusals.ts';
import { RestClient, type RestClientOptions } from '../base/rest-vm/rest-client.ts';

/** All three causes have the status 422: only the text differs. */
export const DIGITALOCEAN_REFUSALS: readonly RefusalRule[] = [
  { text: /droplet limit/i, means: 'quota' },
  {
    status: 422,
    text: /not available|unavailable|capacity|sold out|out of stock/i,
    means: 'no-capacity',
  },
  { text: /pending event|locked for|another event/i, means: 'not-now' },
];

interface Amount {
  readonly amount: number;
  readonly unit: string;
}

export interface Size {
  readonly slug: string;
  readonly vcpus: number;
  /** In MB. */
  readonly memory: number;
  /** In GB. */
  readonly disk: number;
  readonly price_hourly: number;
  readonly regions: readonly string[];
  readonly available: boolean;
  readonly disk_info?: readonly { readonly type: string; readonly size?: Amount }[];
  readonly gpu_info?: {
    readonly count: number;
    readonly model: string;
    readonly vram: Amount;
  } | null;
}

export interface Droplet {
  readonly id: number;
  readonly name: string;
  readonly status: string;
  readonly size: Size;
  readonly region: { readonly slug: string };
  readonly networks: {
    readonly v4?: readonly { readonly ip_address: string; readonly type: string }[];
  };
  readonly tags: readonly string[];
}

export interface AccountKey {
  readonly id: number;
  readonly name: string;
  readonly public_key: string;
}

export interface DropletProject {
  readonly id: string;
  readonly name: string;
}

export interface NewDroplet {
  readonly name: string;
  readonly region: string;
  readonly size: string;
  readonly image: string;
  readonly ssh_keys: readonly number[];
  readonly tags: readonly string[];
  readonly user_data: string;
  readonly project_id?: string;
}

export type DigitalOceanApiOptions = Pick<
  RestClientOptions,
  'title' | 'limiter' | 'fetch' | 'timeoutMs' | 'endpoint'
> & { readonly apiKey: string };

const PAGE = 200;
const MOST_PAGES = 1000;

export class DigitalOceanApi {
  readonly #client: RestClient;
  readonly #title: string;

  constructor({ apiKey, ...options }: DigitalOceanApiOptions) {
    this.#title = options.title;
    this.#client = new RestClient({
      ...options,
      headers: () => ({ authorization: `Bearer ${apiKey}` }),
      rules: DIGITALOCEAN_REFUSALS,
      refusalIn,
    });
  }

  async account(): Promise<void> {
    await this.#client.call({ method: 'GET', path: '/v2/account', kind: 'look' });
  }

  sizes(): Promise<readonly Size[]> {
    return this.#all('/v2/sizes', 'sizes');
  }

  /** Those with GPUs are in a list of their own. */
  async droplets(): Promise<readonly Droplet[]> {
    const [plain, gpus] = await Promise.all([
      this.#all<Droplet>('/v2/droplets', 'droplets'),
      this.#all<Droplet>('/v2/droplets?type=gpus', 'droplets'),
    ]);
    return [...new Map([...plain, ...gpus].map((droplet) => [droplet.id, droplet])).values()];
  }

  keys(): Promise<readonly AccountKey[]> {
    return this.#all('/v2/account/keys', 'ssh_keys');
  }

  /** With the provider's time. */
  async timedKeys(): Promise<TimedKeys> {
    const { items, time } = await this.#timed<AccountKey>('/v2/account/keys', 'ssh_keys');
    const keys = items.map(({ id, name, public_key: publicKey }) => ({
      ...{ id: String(id), name, publicKey },
    }));
    return { keys, time };
  }

  async removeKey(id: string): Promise<void> {
    const path = `/v2/account/keys/${encodeURIComponent(id)}`;
    await this.#client.call({ method: 'DELETE', path, kind: 'look' });
  }

  projects(): Promise<readonly DropletProject[]> {
    return this.#all('/v2/projects', 'projects');
  }

  async addKey(name: string, publicKey: string): Promise<AccountKey> {
    const body = { name, public_key: publicKey };
    const path = '/v2/account/keys';
    return (await this.#post<{ readonly ssh_key: AccountKey }>(path, body, 'look')).ssh_key;
  }

  async create(body: NewDroplet, signal?: AbortSignal): Promise<Droplet> {
    const call = { method: 'POST', path: '/v2/droplets', body, kind: 'create', signal } as const;
    return (await this.#client.call<{ readonly droplet: Droplet }>(call)).droplet;
  }

  async delete(id: string): Promise<void> {
    await this.#client.call({ method: 'DELETE', path: `/v2/droplets/${id}`, kind: 'end' });
  }

  #post<T>(path: string, body: unknown, kind: CallKind): Promise<T> {
    return this.#client.call<T>({ method: 'POST', path, body, kind });
  }

  /** All pages of a list. */
  async #all<T>(path: string, key: string): Promise<readonly T[]> {
    return (await this.#timed<T>(path, key)).items;
  }

  /** With the provider's time when it was asked for the first page. */
  async #timed<T>(path: string, key: string) {
    const found: T[] = [];
    let first: number | null = null;
    for (let page = 1; ; page++) {
      const query = `${path.includes('?') ? '&' : '?'}per_page=${PAGE}&page=${page}`;
      const { body: answer, time } = await this.#client.timed<Page<T>>({
        ...{ method: 'GET', path: `${path}${query}`, kind: 'look' },
      });
      const items = answer[key];
      // An account that seems empty would end every machine that we know.
      if (!Array.isArray(items)) throw new NoAnswerError(`${this.#title}: a list without ${key}`);
      found.push(...(items as readonly T[]));
      if (page === 1) first = time;
      if (!answer.links?.pages?.next) return { items: found as readonly T[], time: first };
      if (page >= MOST_PAGES)
        throw new NoAnswerError(`${this.#title}: the pages of ${key} do not end`);
    }
  }
}

interface Page<T> {
  readonly [key: string]: readonly T[] | unknown;
  readonly links?: { readonly pages?: { readonly next?: string } };
}

/** `{id, message}`. */
function refusalIn(body: unknown) {
  const { id, message } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || typeof message !== 'string') return null;
  return { code: id, text: message };
}
