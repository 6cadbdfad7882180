/** The calls of Crusoe's API (`v1alpha5`, its document of 2026-07) that this adapter makes. */
import { NoAnswerError } from '../base/errors.ts';
import type { TimedKeys } from '../base/rest-vm/key-claims.ts';
import type { RefusalRule } from '../base/rest-vm/refusals.ts';
import { type RestCall, RestClient, type RestClientOptions } from '../base/rest-vm/rest-client.ts';
import { authorization, type SigningKey, signingFetch } from './signature.ts';

/** The document lists no codes; `out_of_stock` is one that dstack 0.22.5 has met. */
const REFUSALS: readonly RefusalRule[] = [
  { code: 'out_of_stock', means: 'no-capacity' },
  { text: /quota/i, means: 'quota' },
  { text: /out of stock|no capacity|insufficient capacity/i, means: 'no-capacity' },
  { text: /in progress|still being|current state/i, means: 'not-now' },
];

export interface VmType {
  readonly product_name: string;
  readonly cpu_cores: number;
  /** Such as `intel`; `arm64`. */
  readonly cpu_type: string;
  readonly memory_gb: number;
  /** A disk of its own, on the host; 0 = none. */
  readonly disk_gb: number;
  readonly num_gpu: number;
  /** Such as `H100-SXM-80GB`. */
  readonly gpu_type: string;
}

export interface Capacity {
  readonly type?: string;
  readonly location: string;
  readonly quantity: number;
  /** How much of a quota one machine takes. */
  readonly num_slices?: number;
  /** The `type` of that quota. */
  readonly quota_type?: string;
}

export interface ProjectQuota {
  readonly type?: string;
  /** Such as `a40`. */
  readonly programmatic_name?: string;
  readonly category?: string;
  /** A number by the document; dstack 0.22.5 has met texts. */
  readonly available?: number | string;
}

interface Addresses {
  readonly private_ipv4?: { readonly address?: string };
  readonly public_ipv4?: { readonly address?: string };
}

export interface CrusoeVm {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly location: string;
  /** Such as `STATE_RUNNING`. */
  readonly state: string;
  readonly network_interfaces?: readonly { readonly ips?: readonly Addresses[] }[];
}

export interface NewVm {
  readonly name: string;
  readonly type: string;
  readonly location: string;
  readonly image: string;
  readonly ssh_public_key: string;
  readonly startup_script: string;
}

export interface Operation {
  readonly operation_id: string;
  readonly state: 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED';
  /** A creation has the id of the machine. */
  readonly metadata?: { readonly id?: string } | null;
  readonly result?: { readonly code?: string; readonly message?: string } | null;
}

export type CrusoeApiOptions = Pick<RestClientOptions, 'limiter' | 'timeoutMs' | 'endpoint'> &
  SigningKey & {
    readonly project: string;
    readonly fetch?: typeof fetch;
    readonly now?: () => number;
  };

const MOST_PAGES = 100;

export class CrusoeApi {
  readonly #client: RestClient;
  readonly #project: string;

  constructor({ accessKey, secretKey, project, now, ...options }: CrusoeApiOptions) {
    const { endpoint, fetch } = options;
    this.#client = new RestClient({
      ...options,
      title: 'Crusoe',
      // The signature takes its place.
      headers: () => ({ authorization: authorization(accessKey) }),
      fetch: signingFetch({ accessKey, secretKey, endpoint, fetch, now }),
      rules: REFUSALS,
      refusalIn,
    });
    this.#project = `/projects/${encodeURIComponent(project)}`;
  }

  types(): Promise<readonly VmType[]> {
    return this.#list(`${this.#project}/compute/vms/types`);
  }

  capacities(): Promise<readonly Capacity[]> {
    return this.#list('/capacities');
  }

  locations(): Promise<readonly string[]> {
    return this.#list('/locations');
  }

  quotas(): Promise<readonly ProjectQuota[]> {
    return this.#list(`${this.#project}/quotas`, 'quotas');
  }

  /** All pages. */
  async vms(): Promise<readonly CrusoeVm[]> {
    const path = `${this.#project}/compute/vms/instances`;
    const found: CrusoeVm[] = [];
    let token = '';
    for (let page = 1; page <= MOST_PAGES; page++) {
      const query = token === '' ? '' : `?next_token=${encodeURIComponent(token)}`;
      const body = await this.#get<Page<CrusoeVm>>(`${path}${query}`);
      found.push(...itemsIn(path, body));
      token = body?.next_page_token ?? '';
      if (token === '') return found;
    }
    throw new NoAnswerError('Crusoe: the pages of machines do not end');
  }

  /** Creations that are under way, or whose outcome was not asked for. */
  operations(): Promise<readonly Operation[]> {
    return this.#list(`${this.#project}/compute/vms/instances/operations`);
  }

  /** Accepted is not created: the operation may fail. */
  async create(
    body: NewVm,
    signal?: AbortSignal,
  ): Promise<{ readonly id: string; readonly operation: string }> {
    const path = `${this.#project}/compute/vms/instances`;
    const call: RestCall = { method: 'POST', path, body, kind: 'create', signal };
    const answer = await this.#client.call<{ readonly operation?: Operation } | null>(call);
    const { metadata, operation_id: operation = '' } = answer?.operation ?? {};
    return { id: metadata?.id ?? '', operation };
  }

  async end(id: string): Promise<void> {
    const path = `${this.#project}/compute/vms/instances/${encodeURIComponent(id)}`;
    await this.#client.call({ method: 'DELETE', path, kind: 'end' });
  }

  /** Those of the user, with the provider's time. */
  async timedKeys(): Promise<TimedKeys> {
    interface StoredKey {
      readonly id: string;
      readonly name: string;
      readonly public_key: string;
    }
    const path = '/users/ssh-keys';
    const call: RestCall = { method: 'GET', path, kind: 'look' };
    const { body, time } = await this.#client.timed<Page<StoredKey>>(call);
    const keys = itemsIn(path, body).map(({ id, name, public_key: publicKey }) => ({
      ...{ id, name, publicKey },
    }));
    return { keys, time };
  }

  async addKey(name: string, publicKey: string): Promise<void> {
    const body = { name, public_key: publicKey };
    await this.#client.call({ method: 'POST', path: '/users/ssh-keys', body, kind: 'look' });
  }

  async removeKey(id: string): Promise<void> {
    const path = `/users/ssh-keys?id=${encodeURIComponent(id)}`;
    await this.#client.call({ method: 'DELETE', path, kind: 'look' });
  }

  async #list<T>(path: string, key = 'items'): Promise<readonly T[]> {
    return itemsIn<T>(path, await this.#get<Page<T>>(path), key);
  }

  #get<T>(path: string): Promise<T> {
    return this.#client.call<T>({ method: 'GET', path, kind: 'look' });
  }
}

type Page<T> = {
  readonly [key: string]: readonly T[] | unknown;
  readonly next_page_token?: string;
} | null;

/** A list without an item may be `null`, as lists of Go are. An account that seems empty would end every machine. */
function itemsIn<T>(path: string, body: Page<T>, key = 'items'): readonly T[] {
  const items = body?.[key];
  if (Array.isArray(items)) return items as readonly T[];
  if (items === null) return [];
  throw new NoAnswerError(`Crusoe: no list at ${path}`);
}

/** `{code, message}`. */
function refusalIn(body: unknown) {
  const { code, message } = (body ?? {}) as Readonly<Record<string, unknown>>;
  return typeof code === 'string' && typeof message === 'string' ? { code, text: message } : null;
}
