/** The calls of Vast.ai's API (as published in 2026-08) that this adapter makes. */
import { NoAnswerError } from '../base/errors.ts';
import { type CallRefusal, portError, type RefusalRule } from '../base/rest-vm/refusals.ts';
import { RestClient, type RestClientOptions } from '../base/rest-vm/rest-client.ts';

const TITLE = 'Vast.ai';

/** An offer that is missing is answered with 404, 410 or 400, and `invalid_args` may be about something else. */
export const VASTAI_REFUSALS: readonly RefusalRule[] = [
  { status: 429, means: 'busy' },
  { text: /invalid user key/i, means: 'credentials' },
  { code: 'no_such_instance', means: 'missing' },
  { code: 'no_such_ask', means: 'no-capacity' },
  { text: /\bno_such_ask\b/, means: 'no-capacity' },
  { status: 410, means: 'no-capacity' },
  // It costs more than when it was searched, or the bid is too low.
  { code: 'invalid_price', means: 'no-capacity' },
  { text: /\b(?:instance|spend\w*) (?:limit|quota)\b/i, means: 'quota' },
  // No load balancer.
  { text: /credit|balance(?!r)|billing/i, means: 'forbidden' },
];

/** A machine with room for one instance; each field that does not matter here is left out. */
export interface MarketAsk {
  readonly id: number;
  readonly gpu_name: string;
  readonly num_gpus: number;
  /** MB of one GPU. */
  readonly gpu_ram: number;
  /** Cores of the machine; null or 0 = not known. */
  readonly cpu_cores: number | null;
  /** Cores of the instance, also a fraction. */
  readonly cpu_cores_effective: number;
  /** MB of the machine. */
  readonly cpu_ram: number;
  /** GB that an instance may have. */
  readonly disk_space: number;
  /** USD per hour, without the disk. */
  readonly dph_base: number;
  /** USD per hour: the least bid, without the disk; 0 or null = it takes none. */
  readonly min_bid?: number | null;
  /** USD per GB and month. */
  readonly storage_cost: number;
  /** Such as `California, US`. */
  readonly geolocation?: string | null;
  readonly reliability2?: number | null;
  readonly score?: number | null;
  readonly rented?: boolean | null;
}

export interface Contract {
  readonly id: number;
  readonly label?: string | null;
  /** The state of its container; null = it is being made. */
  readonly actual_status?: string | null;
  /** The state of its share of the machine. */
  readonly cur_state?: string | null;
  readonly next_state?: string | null;
  readonly intended_status?: string | null;
  readonly status_msg?: string | null;
  /** Pairs of a name and a value. */
  readonly extra_env?: unknown;
  readonly geolocation?: string | null;
  readonly gpu_name?: string | null;
  readonly num_gpus?: number | null;
  readonly gpu_ram?: number | null;
  readonly cpu_cores?: number | null;
  readonly cpu_cores_effective?: number | null;
  readonly cpu_ram?: number | null;
  readonly disk_space?: number | null;
  readonly is_bid?: boolean | null;
  /** USD per hour, with the disk. */
  readonly dph_total?: number | null;
}

export interface NewContract {
  readonly client_id: 'me';
  readonly image: string;
  /** GB. */
  readonly disk: number;
  readonly label: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: 'root';
  /** With the run type `args`: the program, in place of that of the image. */
  readonly onstart: string;
  readonly args: readonly string[];
  readonly runtype: 'args';
  readonly target_state: 'running';
  /** It makes nothing that cannot start at once. */
  readonly cancel_unavail: true;
  readonly image_login?: string;
  /** USD per hour: a bid. */
  readonly price?: number;
}

export interface AccountKey {
  readonly id: string;
  /** One line, with its comment. */
  readonly publicKey: string;
}

/** The published document names the field of the line in both ways. */
interface ListedKey {
  readonly id: number;
  readonly key?: unknown;
  readonly public_key?: unknown;
  readonly deleted_at?: string | null;
}

export type SearchQuery = Readonly<Record<string, unknown>>;

/** `search`: its limiter is another one, since a search that is refused may be refused for hours. */
export type VastaiApiOptions = Pick<RestClientOptions, 'limiter' | 'fetch' | 'timeoutMs'> & {
  readonly endpoint: string;
  readonly apiKey: string;
  readonly search: RestClientOptions['limiter'];
};

/** The most that it takes. */
const PAGE = 25;
/** The most pages of the list of instances; more of them take longer than any caller waits. */
const MOST_PAGES = 400;

export class VastaiApi {
  readonly #client: RestClient;
  readonly #searching: RestClient;

  constructor({ apiKey, search, ...options }: VastaiApiOptions) {
    const common = {
      ...options,
      ...{ title: TITLE, rules: VASTAI_REFUSALS, refusalIn },
      headers: () => ({ authorization: `Bearer ${apiKey}` }),
    };
    this.#client = new RestClient(common);
    this.#searching = new RestClient({ ...common, limiter: search });
  }

  async search(query: SearchQuery): Promise<readonly MarketAsk[]> {
    const body = await this.#searching.call<{ readonly offers?: unknown } | null>({
      ...{ method: 'POST', path: '/api/v0/bundles/', body: query, kind: 'look' },
    });
    if (!Array.isArray(body?.offers)) throw new NoAnswerError(`${TITLE}: a search without offers`);
    return body.offers as readonly MarketAsk[];
  }

  /** All of them, page by page: the order by ids lets none slip through that is there all the time. */
  async contracts(): Promise<readonly Contract[]> {
    const all: Contract[] = [];
    let token: string | null = null;
    for (let page = 0; page < MOST_PAGES; page++) {
      const { instances, next }: ContractPage = await this.#page(token);
      all.push(...instances);
      if (next === null) return all;
      token = next;
    }
    throw new NoAnswerError(`${TITLE}: a list of instances without an end`);
  }

  async #page(token: string | null): Promise<ContractPage> {
    const order = encodeURIComponent(JSON.stringify([{ col: 'id', dir: 'asc' }]));
    const after = token === null ? '' : `&after_token=${encodeURIComponent(token)}`;
    const path = `/api/v1/instances/?limit=${PAGE}&order_by=${order}${after}`;
    const body = await this.#client.call<{
      readonly instances?: unknown;
      readonly next_token?: unknown;
    } | null>({ method: 'GET', path, kind: 'look' });
    const { instances, next_token: next } = body ?? {};
    // An account that seems empty would end every instance that we know.
    if (!Array.isArray(instances)) throw new NoAnswerError(`${TITLE}: no list of instances`);
    if (next == null || next === '') return { instances, next: null };
    // The instances after a page whose successor is not known would seem to be missing.
    if (typeof next === 'string' && next !== token) return { instances, next };
    throw new NoAnswerError(`${TITLE}: a list of instances with an unknown next page`);
  }

  /** Its id. */
  async create(ask: string, body: NewContract, signal?: AbortSignal): Promise<string> {
    const path = `/api/v0/asks/${encodeURIComponent(ask)}/`;
    const call = { method: 'PUT', path, body, kind: 'create', signal } as const;
    const answer = carriedOut(await this.#client.call<Outcome>(call));
    return answer?.new_contract == null ? '' : String(answer.new_contract);
  }

  async destroy(id: string): Promise<void> {
    const path = `/api/v0/instances/${encodeURIComponent(id)}/`;
    carriedOut(await this.#client.call<Outcome>({ method: 'DELETE', path, kind: 'end' }));
  }

  /** With the provider's time in µs. */
  async keys(): Promise<{ readonly keys: readonly AccountKey[]; readonly time: number | null }> {
    const call = { method: 'GET', path: '/api/v0/ssh/', kind: 'look' } as const;
    const { body, time } = await this.#client.timed<readonly (ListedKey | null)[] | null>(call);
    if (!Array.isArray(body)) throw new NoAnswerError(`${TITLE}: no list of SSH keys`);
    return { keys: body.filter((one) => one?.deleted_at == null).map(keyOf), time };
  }

  async addKey(publicKey: string): Promise<void> {
    const body = { ssh_key: publicKey };
    const call = { method: 'POST', path: '/api/v0/ssh/', body, kind: 'look' } as const;
    carriedOut(await this.#client.call<Outcome>(call));
  }

  async removeKey(id: string): Promise<void> {
    const path = `/api/v0/ssh/${encodeURIComponent(id)}/`;
    carriedOut(await this.#client.call<Outcome>({ method: 'DELETE', path, kind: 'look' }));
  }
}

/** A key that cannot be read may be the claim of another server. */
function keyOf(one: ListedKey | null): AccountKey {
  const text = one?.key ?? one?.public_key;
  if (one && typeof text === 'string') return { id: String(one.id), publicKey: text };
  throw new NoAnswerError(`${TITLE}: a list with an SSH key that cannot be read`);
}

interface ContractPage {
  readonly instances: readonly Contract[];
  /** Null: it is the last one. */
  readonly next: string | null;
}

type Outcome = {
  readonly success?: boolean;
  readonly error?: string;
  readonly new_contract?: number | null;
} | null;

/** Some refusals come with status 200. Throws the errors of the port. */
function carriedOut(answer: Outcome): Outcome {
  if (answer?.success !== false) return answer;
  const found = refusalIn(answer) ?? { code: null, text: 'it was not carried out' };
  throw portError(TITLE, { status: 200, ...found }, VASTAI_REFUSALS);
}

/** `{success?, error, msg}`. Throws `NoAnswerError` for a refusal after which there is an instance all the same. */
function refusalIn(body: unknown): Pick<CallRefusal, 'code' | 'text'> | null {
  const { error, msg, message, detail, ...more } = (body ?? {}) as Readonly<
    Record<string, unknown>
  >;
  const text = [msg, message, detail].find((one) => typeof one === 'string' && one !== '');
  if (typeof error !== 'string' && typeof text !== 'string') return null;
  const words = typeof text === 'string' ? text : String(error);
  if (more.new_contract != null) {
    throw new NoAnswerError(`${TITLE}: ${words} (it has made instance ${more.new_contract})`);
  }
  return { code: typeof error === 'string' ? error : '', text: words };
}
