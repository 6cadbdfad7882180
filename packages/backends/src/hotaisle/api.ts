/** The calls of Hot Aisle's API (`swagger.json` of 2026-06) that this adapter makes. */
import { NoAnswerError } from '../base/errors.ts';
import type { TimedKeys } from '../base/rest-vm/key-claims.ts';
import type { RefusalRule } from '../base/rest-vm/refusals.ts';
import { type RestCall, RestClient, type RestClientOptions } from '../base/rest-vm/rest-client.ts';

/** Only an order has these meanings: elsewhere 401 is about the key, and 404 about a machine. */
const ORDER_REFUSALS: readonly RefusalRule[] = [
  { status: 401, means: 'quota' },
  { status: 404, means: 'no-capacity' },
];
const PAYMENT: RefusalRule = { status: 402, means: 'forbidden' };

/** The specification by which a machine is ordered. The provider's object is returned to it unchanged. */
export interface VmSpecs {
  readonly cpu_cores: number;
  /** In bytes. */
  readonly ram_capacity: number;
  readonly disk_capacity: number;
  readonly gpus?: readonly { readonly count: number; readonly model?: string }[];
  readonly cpus?: unknown;
}

export interface AvailableType {
  /** In cents. */
  readonly OnDemandPrice?: number;
  readonly Quantity: number;
  readonly MinimumReservationMinutes: number;
  readonly Specs?: VmSpecs;
}

export interface HotAisleVm extends VmSpecs {
  /** Given by the provider. */
  readonly name: string;
  readonly ip_address: string;
  readonly description?: string;
  readonly ssh_access?: { readonly ip_address: string; readonly port: number };
}

export interface UserTeam {
  readonly handle: string;
  /** Those of the key, which may have less than the user. */
  readonly roles: readonly string[];
  /** How many virtual machines it may have. */
  readonly most: number;
}

interface ListedTeam {
  readonly handle: string;
  readonly effective_roles: readonly string[];
  readonly maximum_virtual_machines?: number;
}

interface StoredKey {
  readonly type: string;
  readonly public_key: string;
  readonly fingerprint: string;
  readonly comment?: string;
}

export type HotAisleApiOptions = Pick<
  RestClientOptions,
  'limiter' | 'fetch' | 'timeoutMs' | 'endpoint'
> & { readonly apiKey: string; readonly team: string };

export class HotAisleApi {
  readonly #client: RestClient;
  readonly #orders: RestClient;
  readonly #team: string;

  constructor({ apiKey, team, ...options }: HotAisleApiOptions) {
    const all: Omit<RestClientOptions, 'rules'> = {
      ...options,
      title: 'Hot Aisle',
      headers: () => ({ authorization: `Token ${apiKey}` }),
      refusalIn,
    };
    this.#client = new RestClient({ ...all, rules: [PAYMENT] });
    const rules = [...ORDER_REFUSALS, PAYMENT];
    this.#orders = new RestClient({ ...all, rules, refusalIn: orderRefusalIn });
    this.#team = `/teams/${encodeURIComponent(team)}`;
  }

  async teams(): Promise<readonly UserTeam[]> {
    type User = { readonly teams: readonly ListedTeam[] | null };
    const { teams } = await this.#get<User>('/user/');
    return (teams ?? []).map(({ handle, effective_roles: roles, ...team }) => ({
      ...{ handle, roles, most: team.maximum_virtual_machines ?? Number.POSITIVE_INFINITY },
    }));
  }

  available(): Promise<readonly AvailableType[]> {
    return this.#list(`${this.#team}/virtual_machines/available/`);
  }

  vms(): Promise<readonly HotAisleVm[]> {
    return this.#list(`${this.#team}/virtual_machines/`);
  }

  async state(name: string): Promise<string> {
    return (await this.#get<{ readonly state: string }>(`${this.#vm(name)}state/`)).state;
  }

  /** The name of the new machine. */
  async order(body: VmSpecs, signal?: AbortSignal): Promise<string> {
    const path = `${this.#team}/virtual_machines/`;
    const call: RestCall = { method: 'POST', path, body, kind: 'create', signal };
    return (await this.#orders.call<HotAisleVm>(call)).name;
  }

  async describe(name: string, description: string): Promise<void> {
    const body = { description };
    await this.#client.call({ method: 'PATCH', path: this.#vm(name), body, kind: 'create' });
  }

  /** Also before the shortest time for which it is charged. */
  async end(name: string): Promise<void> {
    await this.#client.call({
      method: 'DELETE',
      path: `${this.#vm(name)}?force=true`,
      kind: 'end',
    });
  }

  /** With the provider's time. Claims have their text as the comment, not as a name. */
  async timedKeys(): Promise<TimedKeys> {
    const { body, time } = await this.#client.timed<readonly StoredKey[] | null>({
      ...{ method: 'GET', path: '/user/ssh_keys/', kind: 'look' },
    });
    const keys = listIn('/user/ssh_keys/', body).map((key) => ({
      id: key.fingerprint.replace(/^SHA256:/, ''),
      name: (key.comment ?? '').replace(/^dstack-claim:/, 'dstack-claim-'),
      publicKey: `${key.type} ${key.public_key} ${key.comment ?? ''}`.trim(),
    }));
    return { keys, time };
  }

  async addKey(publicKey: string): Promise<void> {
    const body = { authorized_key: publicKey };
    await this.#client.call({ method: 'POST', path: '/user/ssh_keys/', body, kind: 'look' });
  }

  async removeKey(id: string): Promise<void> {
    const path = `/user/ssh_keys/${encodeURIComponent(id)}/`;
    await this.#client.call({ method: 'DELETE', path, kind: 'look' });
  }

  #vm(name: string): string {
    return `${this.#team}/virtual_machines/${encodeURIComponent(name)}/`;
  }

  async #list<T>(path: string): Promise<readonly T[]> {
    const call: RestCall = { method: 'GET', path, kind: 'look' };
    return listIn(path, await this.#client.call<readonly T[] | null>(call));
  }

  #get<T>(path: string): Promise<T> {
    return this.#client.call<T>({ method: 'GET', path, kind: 'look' });
  }
}

/** Lists without an item are `null`. */
function listIn<T>(path: string, answer: readonly T[] | null): readonly T[] {
  if (answer === null) return [];
  if (Array.isArray(answer)) return answer;
  throw new NoAnswerError(`Hot Aisle: no list at ${path}`);
}

/** Bodies of errors are a text. Pages of proxies, which know nothing of its machines, are HTML. */
function refusalIn(body: unknown, text: string) {
  const words = typeof body === 'string' ? body : body === null ? text.trim() : '';
  if (words === '' || words.startsWith('<')) return null;
  return { code: 'text', text: words };
}

/** The document has no body for what orders alone are refused for. */
function orderRefusalIn(body: unknown, text: string) {
  const unexplained = { code: 'text', text: 'the order was refused without a reason' };
  return refusalIn(body, text) ?? (text.trim() === '' ? unexplained : null);
}
