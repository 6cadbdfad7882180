/** The calls of Vultr's API (v2) that this adapter makes. */
import { NoAnswerError } from '../base/errors.ts';
import type { TimedKeys } from '../base/rest-vm/key-claims.ts';
import { MissingThingError, type RefusalRule } from '../base/rest-vm/refusals.ts';
import { type RestCall, RestClient, type RestClientOptions } from '../base/rest-vm/rest-client.ts';

/** There are no codes of errors: only the texts differ. */
const REFUSALS: readonly RefusalRule[] = [
  { status: 400, text: /maximum|limit|quota/i, means: 'quota' },
  {
    text: /not (currently )?available|unavailable|sold out|out of stock|no capacity/i,
    means: 'no-capacity',
  },
  { text: /locked|pending|in progress/i, means: 'not-now' },
];

export interface Plan {
  readonly id: string;
  /** Such as `vc2`, `vcg`; plans of bare metal have other types. */
  readonly type: string;
  /** In MB. */
  readonly ram: number;
  /** In GB. */
  readonly disk: number;
  /** US dollars. */
  readonly hourly_cost?: number;
  /** Regions in which it can be ordered now. */
  readonly locations: readonly string[];
  readonly deploy_ondemand?: boolean;
  readonly vcpu_count?: number;
  /** Bare metal has it in place of `vcpu_count`. */
  readonly cpu_threads?: number;
  /** Such as `NVIDIA_A16`. */
  readonly gpu_type?: string;
  /** The memory of all its GPUs, or of its part of one. */
  readonly gpu_vram_gb?: number;
}

export interface Server {
  readonly id: string;
  readonly label: string;
  readonly plan: string;
  readonly region: string;
  readonly status: string;
  /** Bare metal has none. */
  readonly server_status?: string;
  /** `0.0.0.0` until it has one. */
  readonly main_ip: string;
  readonly internal_ip?: string;
  readonly tags?: readonly string[] | null;
}

export interface NewServer {
  readonly region: string;
  readonly plan: string;
  readonly label: string;
  readonly tags: readonly string[];
  readonly image_id?: string;
  readonly os_id?: number;
  /** In base64. */
  readonly user_data: string;
  readonly attach_vpc: readonly string[];
}

export interface Vpc {
  readonly id: string;
  readonly description: string;
  readonly region: string;
}

export type VultrApiOptions = Pick<
  RestClientOptions,
  'limiter' | 'fetch' | 'timeoutMs' | 'endpoint'
> & { readonly apiKey: string };

/** Virtual machines and bare metal have paths of their own. */
const VM = { path: '/instances', one: 'instance', all: 'instances' } as const;
const METAL = { path: '/bare-metals', one: 'bare_metal', all: 'bare_metals' } as const;
const PAGE = 500;
const MOST_PAGES = 100;

export class VultrApi {
  readonly #client: RestClient;

  constructor({ apiKey, ...options }: VultrApiOptions) {
    this.#client = new RestClient({
      ...options,
      title: 'Vultr',
      headers: () => ({ authorization: `Bearer ${apiKey}` }),
      rules: REFUSALS,
      refusalIn,
    });
  }

  async account(): Promise<void> {
    await this.#client.call({ method: 'GET', path: '/account', kind: 'look' });
  }

  async plans(): Promise<readonly Plan[]> {
    const [machines, metal] = await Promise.all([
      this.#all<Plan>('/plans?type=all', 'plans'),
      this.#all<Plan>('/plans-metal', 'plans_metal'),
    ]);
    return [...machines, ...metal];
  }

  async servers(): Promise<readonly Server[]> {
    const lists = [VM, METAL].map(({ path, all }) => this.#all<Server>(path, all));
    return (await Promise.all(lists)).flat();
  }

  /** The id of the new machine. */
  async create(body: NewServer, signal?: AbortSignal): Promise<string> {
    const { path, one } = isMetal(body.plan) ? METAL : VM;
    const call: RestCall = { method: 'POST', path, body, kind: 'create', signal };
    const answer = await this.#client.call<Readonly<Record<string, Server | undefined>>>(call);
    return answer[one]?.id ?? '';
  }

  /** Throws `MissingThingError` if it is neither a virtual machine nor bare metal. */
  async delete(id: string): Promise<void> {
    const end = (path: string) =>
      this.#client.call<null>({
        ...{ method: 'DELETE', path: `${path}/${encodeURIComponent(id)}`, kind: 'end' },
      });
    try {
      await end(VM.path);
    } catch (error) {
      if (!(error instanceof MissingThingError)) throw error;
      await end(METAL.path);
    }
  }

  vpcs(): Promise<readonly Vpc[]> {
    return this.#all('/vpcs', 'vpcs');
  }

  async addVpc(region: string, description: string): Promise<Vpc> {
    const body = { region, description };
    const call: RestCall = { method: 'POST', path: '/vpcs', body, kind: 'look' };
    return (await this.#client.call<{ readonly vpc: Vpc }>(call)).vpc;
  }

  /** With the provider's time. */
  async timedKeys(): Promise<TimedKeys> {
    interface StoredKey {
      readonly id: string;
      readonly name: string;
      readonly ssh_key: string;
    }
    const { items, time } = await this.#timed<StoredKey>('/ssh-keys', 'ssh_keys');
    return {
      keys: items.map(({ id, name, ssh_key: publicKey }) => ({ id, name, publicKey })),
      time,
    };
  }

  async addKey(name: string, publicKey: string): Promise<void> {
    const body = { name, ssh_key: publicKey };
    await this.#client.call({ method: 'POST', path: '/ssh-keys', body, kind: 'look' });
  }

  async removeKey(id: string): Promise<void> {
    const path = `/ssh-keys/${encodeURIComponent(id)}`;
    await this.#client.call({ method: 'DELETE', path, kind: 'look' });
  }

  async #all<T>(path: string, key: string): Promise<readonly T[]> {
    return (await this.#timed<T>(path, key)).items;
  }

  /** All pages, and the provider's time when it was asked for the first one. */
  async #timed<T>(path: string, key: string) {
    const found: T[] = [];
    let first: number | null = null;
    let cursor = '';
    for (let page = 1; page <= MOST_PAGES; page++) {
      const start = `${path}${path.includes('?') ? '&' : '?'}per_page=${PAGE}`;
      const from = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { body, time } = await this.#client.timed<Page<T>>({
        ...{ method: 'GET', path: `${start}${from}`, kind: 'look' },
      });
      const items = body?.[key];
      // An account that seems empty would end every machine that we know.
      if (!Array.isArray(items)) throw new NoAnswerError(`Vultr: a list without ${key}`);
      found.push(...(items as readonly T[]));
      if (page === 1) first = time;
      cursor = body?.meta?.links?.next ?? '';
      if (cursor === '') return { items: found as readonly T[], time: first };
    }
    throw new NoAnswerError(`Vultr: the pages of ${key} do not end`);
  }
}

type Page<T> = {
  readonly [key: string]: readonly T[] | unknown;
  readonly meta?: { readonly links?: { readonly next?: string } };
} | null;

export const isMetal = (plan: string): boolean => plan.startsWith('vbm-');

/** `{error, status}`. */
function refusalIn(body: unknown) {
  const { error } = (body ?? {}) as Readonly<Record<string, unknown>>;
  return typeof error === 'string' ? { code: 'error', text: error } : null;
}
