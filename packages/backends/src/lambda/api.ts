/** The calls of Lambda's cloud API (1.10) that this adapter makes. */
import { NoAnswerError } from '../base/errors.ts';
import type { TimedKeys } from '../base/rest-vm/key-claims.ts';
import type { RefusalRule } from '../base/rest-vm/refusals.ts';
import { RestClient, type RestClientOptions } from '../base/rest-vm/rest-client.ts';

export const LAMBDA_REFUSALS: readonly RefusalRule[] = [
  { code: 'instance-operations/launch/insufficient-capacity', means: 'no-capacity' },
  { code: 'global/quota-exceeded', means: 'quota' },
  { code: 'global/invalid-api-key', means: 'credentials' },
  { code: 'global/account-inactive', means: 'forbidden' },
  { code: 'global/invalid-address', means: 'forbidden' },
  { code: 'global/object-does-not-exist', means: 'missing' },
  { status: 409, means: 'not-now' },
];

export interface LambdaRegion {
  readonly name: string;
}

export interface LambdaType {
  readonly name: string;
  readonly description: string;
  /** Such as `H100 (80 GB SXM5)`; `N/A` without GPUs. */
  readonly gpu_description?: string;
  readonly price_cents_per_hour: number;
  readonly specs: {
    readonly vcpus: number;
    readonly memory_gib: number;
    readonly storage_gib: number;
    readonly gpus?: number;
  };
}

export interface LambdaTypeItem {
  readonly instance_type: LambdaType;
  readonly regions_with_capacity_available: readonly LambdaRegion[];
}

export interface LambdaTag {
  readonly key: string;
  readonly value: string;
}

export interface LambdaInstance {
  readonly id: string;
  readonly name?: string | null;
  readonly ip?: string | null;
  readonly private_ip?: string | null;
  readonly status: string;
  readonly region: LambdaRegion;
  readonly instance_type: LambdaType;
  readonly tags?: readonly LambdaTag[] | null;
}

/** A key that is stored. */
interface StoredLambdaKey {
  readonly id: string;
  readonly name: string;
  readonly public_key: string;
}

export interface LambdaLaunch {
  readonly region_name: string;
  readonly instance_type_name: string;
  /** Exactly one. */
  readonly ssh_key_names: readonly string[];
  readonly name: string;
  readonly tags: readonly LambdaTag[];
  readonly user_data: string;
}

export type LambdaApiOptions = Pick<RestClientOptions, 'limiter' | 'fetch' | 'timeoutMs'> & {
  readonly endpoint: string;
  readonly apiKey: string;
};

export class LambdaApi {
  readonly #client: RestClient;

  constructor({ apiKey, ...options }: LambdaApiOptions) {
    this.#client = new RestClient({
      ...options,
      title: 'Lambda',
      headers: () => ({ authorization: `Bearer ${apiKey}` }),
      rules: LAMBDA_REFUSALS,
      refusalIn,
    });
  }

  async types(): Promise<readonly LambdaTypeItem[]> {
    return Object.values(
      await this.#get<Readonly<Record<string, LambdaTypeItem>>>('instance-types'),
    );
  }

  async instances(): Promise<readonly LambdaInstance[]> {
    return await this.#get('instances');
  }

  /** With the provider's time. */
  async timedKeys(): Promise<TimedKeys> {
    const call = { method: 'GET', path: path('ssh-keys'), kind: 'look' } as const;
    const { body, time } = await this.#client.timed<Answer<readonly StoredLambdaKey[]>>(call);
    const keys = dataIn('ssh-keys', body).map(({ id, name, public_key: publicKey }) => ({
      ...{ id, name, publicKey },
    }));
    return { keys, time };
  }

  async addKey(name: string, publicKey: string): Promise<void> {
    const body = { name, public_key: publicKey };
    await this.#client.call({ method: 'POST', path: path('ssh-keys'), body, kind: 'look' });
  }

  async removeKey(id: string): Promise<void> {
    const at = path(`ssh-keys/${encodeURIComponent(id)}`);
    await this.#client.call({ method: 'DELETE', path: at, kind: 'look' });
  }

  /** The id of the machine. */
  async launch(body: LambdaLaunch, signal?: AbortSignal): Promise<string> {
    const answer = await this.#client.call<{
      readonly data: { readonly instance_ids: readonly [string] };
    }>({
      ...{ method: 'POST', path: path('instance-operations/launch'), body, kind: 'create', signal },
    });
    return answer.data.instance_ids[0];
  }

  async terminate(id: string): Promise<void> {
    const body = { instance_ids: [id] };
    const at = path('instance-operations/terminate');
    await this.#client.call({ method: 'POST', path: at, body, kind: 'end' });
  }

  async #get<T>(what: string): Promise<T> {
    const call = { method: 'GET', path: path(what), kind: 'look' } as const;
    return dataIn(what, await this.#client.call<Answer<T>>(call));
  }
}

type Answer<T> = { readonly data?: T } | null;

function dataIn<T>(what: string, answer: Answer<T>): T {
  // An account that seems empty would end every machine that we know.
  if (answer?.data === undefined) throw new NoAnswerError(`Lambda: no data about ${what}`);
  return answer.data;
}

const path = (what: string): string => `/api/v1/${what}`;

/** `{error: {code, message, suggestion}}`. */
function refusalIn(body: unknown) {
  const { error } = (body ?? {}) as { readonly error?: Readonly<Record<string, unknown>> };
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') return null;
  const suggestion = typeof error.suggestion === 'string' ? ` ${error.suggestion}` : '';
  return { code: error.code, text: `${error.message}${suggestion}` };
}
