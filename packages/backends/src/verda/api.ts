/** The calls of Verda's API (v1, formerly DataCrunch) that this adapter makes. */
import { BackendError, NoAnswerError } from '../base/errors.ts';
import type { AccessTokens, TokenSource } from '../base/rest-vm/access-tokens.ts';
import type { TimedKeys } from '../base/rest-vm/key-claims.ts';
import { portError, type RefusalRule } from '../base/rest-vm/refusals.ts';
import { type RestCall, RestClient, type RestClientOptions } from '../base/rest-vm/rest-client.ts';
import { TokenCalls } from '../base/rest-vm/token-calls.ts';

const TITLE = 'Verda';
/** Codes are those of the official SDKs; texts are those that dstack 0.22.5 and others have met. */
const REFUSALS: readonly RefusalRule[] = [
  { status: 429, means: 'busy' },
  { text: /quota|limit (?:is )?(?:reached|exceeded)|maximum number/i, means: 'quota' },
  { text: /invalid (?:[\w-]{1,30} ){0,4}id\b/i, means: 'missing' },
  { text: /can(?:'t|not) \w+ an? \w+ instance/i, means: 'not-now' },
  {
    text: /(?:no|not enough|insufficient|out of) (?:\w+ )?(?:capacity|stock)|sold out|not available/i,
    means: 'no-capacity',
  },
  // The account has no money.
  { code: 'insufficient_funds', means: 'forbidden' },
];
/** The token service knows nothing but credentials. */
const TOKEN_REFUSALS: readonly RefusalRule[] = [
  { status: 400, means: 'credentials' },
  { status: 403, means: 'credentials' },
];
/** Its end has been ordered before, or the provider has ended it. */
const IS_OVER = /can(?:'t|not) \w+ a discontinued instance/i;

/** Sizes of a type, and of a machine. */
export interface Hardware {
  /** Such as `1H100.80S.30V`. */
  readonly instance_type: string;
  readonly cpu: { readonly number_of_cores: number };
  /** `description`: such as `1x H100 SXM5 80GB`; empty without GPUs. */
  readonly gpu?: { readonly number_of_gpus: number; readonly description: string } | null;
  readonly memory: { readonly size_in_gigabytes: number };
  /** The memory of all GPUs together. */
  readonly gpu_memory?: { readonly size_in_gigabytes: number } | null;
}

export interface VerdaType extends Hardware {
  /** US dollars, as a text. */
  readonly price_per_hour: string | number;
  readonly spot_price?: string | number | null;
  /** Names of images. */
  readonly supported_os?: readonly string[] | null;
}

export interface LocationAvailability {
  readonly location_code: string;
  /** Types that can be ordered now. */
  readonly availabilities: readonly string[];
}

export interface InstanceTag {
  readonly key: string;
  readonly value?: string | null;
}

export interface VerdaInstance extends Hardware {
  readonly id: string;
  readonly hostname: string;
  readonly status: string;
  readonly location: string;
  readonly ip?: string | null;
  readonly private_ip?: string | null;
  readonly price_per_hour?: string | number | null;
  readonly is_spot?: boolean;
  readonly os_volume_id?: string | null;
  readonly startup_script_id?: string | null;
  readonly tags?: readonly InstanceTag[] | null;
}

export interface NewInstance {
  readonly instance_type: string;
  /** An id or a name. */
  readonly image: string;
  readonly hostname: string;
  readonly description: string;
  readonly location_code: string;
  readonly ssh_key_ids: readonly string[];
  readonly startup_script_id: string;
  readonly os_volume: {
    readonly name: string;
    /** GB. */
    readonly size: number;
    readonly on_spot_discontinue?: 'delete_permanently';
  };
  readonly is_spot: boolean;
  readonly pricing: 'FIXED_PRICE';
  readonly tags: readonly InstanceTag[];
}

export interface StoredScript {
  readonly id: string;
  readonly name: string;
  /** In ISO 8601; omitted by some answers. */
  readonly created_at?: string | null;
}

/** The result of an action on one machine. */
interface ActionResult {
  readonly instanceId?: string;
  readonly status?: string;
  readonly error?: string | null;
  readonly statusCode?: number | null;
}

export type VerdaApiOptions = Pick<
  RestClientOptions,
  'limiter' | 'fetch' | 'timeoutMs' | 'endpoint'
>;

const PAGE = 100;
const MOST_PAGES = 1000;
const BAD_REQUEST = 400;
const NOT_FOUND = 404;

export class VerdaApi {
  readonly #client: RestClient;
  readonly #calls: TokenCalls;

  constructor({ tokens, ...options }: VerdaApiOptions & { readonly tokens: AccessTokens }) {
    this.#calls = new TokenCalls(tokens);
    const { headers } = this.#calls;
    this.#client = new RestClient({
      ...options,
      title: TITLE,
      headers,
      rules: REFUSALS,
      refusalIn,
    });
  }

  types(): Promise<readonly VerdaType[]> {
    return this.#list('/instance-types?currency=usd');
  }

  availability(isSpot: boolean): Promise<readonly LocationAvailability[]> {
    return this.#list(`/instance-availability?is_spot=${isSpot}`);
  }

  async locations(): Promise<readonly string[]> {
    const known = await this.#list<{ readonly code: string }>('/locations');
    return known.map(({ code }) => code);
  }

  async instances(): Promise<readonly VerdaInstance[]> {
    return (await this.#all<VerdaInstance>('/instances', null)).items;
  }

  async instance(id: string): Promise<VerdaInstance> {
    const { body } = await this.#timed(`/instances/${encodeURIComponent(id)}`);
    const known = body as Partial<VerdaInstance> | null;
    if (known?.id === id) return known as VerdaInstance;
    throw new NoAnswerError(`${TITLE}: a machine in an unknown form`);
  }

  /** The id of the new machine; empty = the answer has none. */
  async create(body: NewInstance, signal?: AbortSignal): Promise<string> {
    const call: RestCall = { method: 'POST', path: '/instances', body, kind: 'create', signal };
    return await this.#added(call);
  }

  /**
   * Ends it with its system disk, for good: other volumes are detached. `volume`: that disk; null = it is not known,
   * and the provider finds it.
   */
  async end(id: string, volume: string | null): Promise<void> {
    const volumes = volume === null ? {} : { volume_ids: [volume] };
    const body = { id: [id], action: 'delete', ...volumes, delete_permanently: true };
    const call: RestCall = { method: 'PUT', path: '/instances', body, kind: 'end' };
    try {
      const text = await this.#calls.sent(call, () => this.#client.text(call));
      const problem = problemIn(text, id);
      if (problem !== null) throw problem;
    } catch (error) {
      if (!(error instanceof BackendError) || !IS_OVER.test(error.message)) throw error;
    }
  }

  /** With the provider's time. */
  async timedKeys(): Promise<TimedKeys> {
    interface StoredKey {
      readonly id: string;
      readonly name: string;
      readonly key: string;
    }
    const { items, time } = await this.#all<StoredKey>('/sshkeys', null);
    return { keys: items.map(({ id, name, key }) => ({ id, name, publicKey: key })), time };
  }

  async addKey(name: string, publicKey: string): Promise<string> {
    const body = { name, key: publicKey };
    return await this.#added({ method: 'POST', path: '/sshkeys', body, kind: 'look' });
  }

  async removeKey(id: string): Promise<void> {
    await this.#remove(`/sshkeys/${encodeURIComponent(id)}`);
  }

  /** With the provider's time in µs; null = it did not say. */
  async timedScripts() {
    return await this.#all<StoredScript>('/scripts', PAGE);
  }

  async addScript(name: string, script: string): Promise<string> {
    const body = { name, script };
    return await this.#added({ method: 'POST', path: '/scripts', body, kind: 'look' });
  }

  async removeScript(id: string): Promise<void> {
    await this.#remove(`/scripts/${encodeURIComponent(id)}`);
  }

  async #added(call: RestCall): Promise<string> {
    // Sent again after a refused token: then it was not carried out.
    return idIn(await this.#calls.sent(call, () => this.#client.text(call)));
  }

  async #remove(path: string): Promise<void> {
    const call: RestCall = { method: 'DELETE', path, kind: 'look' };
    await this.#calls.sent(call, () => this.#client.text(call));
  }

  async #list<T>(path: string): Promise<readonly T[]> {
    return itemsIn<T>(path, (await this.#timed(path)).body);
  }

  #timed(path: string) {
    const call: RestCall = { method: 'GET', path, kind: 'look' };
    return this.#calls.sent(call, () => this.#client.timed<unknown>(call));
  }

  /**
   * All pages, and the provider's time when it was asked for the first one. Headers announce whether there are more.
   * `size`: items of a page; null = a list that the provider does not describe as one with pages is asked for without.
   */
  async #all<T extends { readonly id: string }>(path: string, size: number | null) {
    const found = new Map<string, T>();
    let first: number | null = null;
    let perPage = size;
    for (let page = 1; page <= MOST_PAGES; page++) {
      const query = perPage === null ? '' : `?page=${page}&pageSize=${perPage}`;
      const { body, time, headers } = await this.#timed(`${path}${query}`);
      const items = itemsIn<T>(path, body);
      for (const item of items) found.set(item.id, item);
      if (page === 1) first = time;
      const total = Number(headers.get('x-total-count') ?? 0);
      perPage ??= items.length;
      if (!(total > page * perPage)) {
        // A part of the account, as of pages that repeat, would end the machines that it lacks.
        if (found.size < total) {
          throw new NoAnswerError(`${TITLE}: the pages of ${path} have ${found.size} of ${total}`);
        }
        return { items: [...found.values()], time: first };
      }
      // An account that seems empty would end every machine that we know.
      if (items.length === 0) throw new NoAnswerError(`${TITLE}: an empty page at ${path}`);
    }
    throw new NoAnswerError(`${TITLE}: the pages of ${path} do not end`);
  }
}

/** Access tokens for the id and the secret of a client. */
export function clientTokens(
  options: VerdaApiOptions,
  { id, secret }: { readonly id: string; readonly secret: string },
): TokenSource {
  const client = new RestClient({
    ...options,
    ...{ title: TITLE, headers: () => ({}), rules: TOKEN_REFUSALS, refusalIn },
  });
  const grant = { grant_type: 'client_credentials', client_id: id, client_secret: secret };
  return async () => {
    const body = await client.call<Readonly<Record<string, unknown>> | null>({
      ...{ method: 'POST', path: '/oauth2/token', body: grant, kind: 'look' },
    });
    const { access_token: token, expires_in: seconds } = body ?? {};
    if (typeof token === 'string' && token !== '' && typeof seconds === 'number') {
      return { token, seconds };
    }
    throw new NoAnswerError(`${TITLE}: an access token in an unknown form`);
  };
}

function itemsIn<T>(path: string, body: unknown): readonly T[] {
  // An account that seems empty would end every machine that we know.
  if (!Array.isArray(body)) throw new NoAnswerError(`${TITLE}: no list at ${path.split('?')[0]}`);
  return body as readonly T[];
}

/** It is the body itself, a text in JSON, or part of an object. Empty: there is none. */
function idIn(text: string): string {
  const known = text.trim();
  if (/^[\w-]+$/.test(known)) return known;
  let body: unknown = null;
  try {
    body = JSON.parse(known);
  } catch {
    // Neither.
  }
  if (typeof body === 'string') return body;
  const { id } = (body ?? {}) as { readonly id?: unknown };
  return typeof id === 'string' ? id : '';
}

/** An action may be accepted, and have failed for one machine. Null: it has not failed for that with this id. */
function problemIn(text: string, id: string): BackendError | null {
  let results: unknown = null;
  try {
    results = JSON.parse(text);
  } catch {
    // Older answers are empty.
  }
  if (!Array.isArray(results)) return null;
  const own = (results as readonly ActionResult[]).find((one) => one.instanceId === id);
  if (!own?.error && own?.status !== 'error') return null;
  const status = own.statusCode ?? BAD_REQUEST;
  const code = status === NOT_FOUND ? 'not_found' : 'action_failed';
  return portError(TITLE, { status, code, text: own.error || 'the action failed' }, REFUSALS);
}

/** `{code, message}`. */
function refusalIn(body: unknown) {
  const { code, message } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof code !== 'string') return null;
  return { code, text: typeof message === 'string' && message !== '' ? message : code };
}
