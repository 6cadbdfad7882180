/** The calls of RunPod's REST API (version 2, as published in 2026-08) that this adapter makes. */
import { NoAnswerError } from '../base/errors.ts';
import type { RefusalRule } from '../base/rest-vm/refusals.ts';
import { RestClient, type RestClientOptions } from '../base/rest-vm/rest-client.ts';
import { type LogClient, lastLineOf } from './logs.ts';

/** A refusal for want of capacity is 400 like every other, so its words decide. */
export const RUNPOD_REFUSALS: readonly RefusalRule[] = [
  // Its words may name a quota, that of calls.
  { status: 429, means: 'busy' },
  {
    text: /no (?:longer any )?instances? (?:are )?(?:currently )?available|could not be placed|(?:no|not enough|insufficient|out of) (?:\w+ )?(?:capacity|stock)|not have the resources/i,
    means: 'no-capacity',
  },
  { text: /quota|spend(?:ing)? limit/i, means: 'quota' },
  { status: 402, means: 'forbidden' },
  { status: 409, means: 'not-now' },
];

export type Availability = 'NONE' | 'LOW' | 'MEDIUM' | 'HIGH';

export interface InDataCenter {
  readonly id: string;
  readonly availability: Availability;
}

/** Each field of a kind that does not matter here is left out. */
export interface GpuType {
  readonly id: string;
  /** Such as `RTX 4090`. */
  readonly name: string;
  readonly manufacturer: string;
  /** GB of one GPU. */
  readonly memory: number;
  readonly secure: boolean;
  /** USD per hour for one GPU; 0 or null = it is not sold. */
  readonly price?: { readonly secure?: number | null } | null;
  /** The most of one pod. */
  readonly maxCount: { readonly secure: number };
  /** Left out if none has it. */
  readonly dataCenters?: readonly InDataCenter[];
}

export interface CpuType {
  readonly id: string;
  readonly vcpu: { readonly min: number; readonly max: number };
  readonly ramGbPerVcpu: number;
  /** USD per hour; 0 or null = it is not sold. */
  readonly price?: { readonly securePerVcpu?: number | null } | null;
  readonly dataCenters?: readonly InDataCenter[];
}

export interface Pod {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly image: string;
  readonly disk: number;
  readonly env?: Readonly<Record<string, string>> | null;
  /** Id of the credentials for its image. */
  readonly registry?: string | null;
  readonly gpu?: {
    readonly id: string;
    readonly count?: number;
    readonly vcpuCount: number;
    /** GB. */
    readonly memory: number;
  };
  readonly cpu?: { readonly id: string; readonly vcpuCount: number; readonly memory: number };
  readonly dataCenterId?: string | null;
  /** USD per hour; 0 once it is stopped. */
  readonly cost: number;
  readonly globalNetworking?: { readonly ip?: string } | null;
}

export interface NewPod {
  readonly name: string;
  readonly cloud: 'SECURE';
  readonly dataCenterIds: readonly string[];
  readonly image: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** GB. */
  readonly disk: number;
  readonly gpu?: {
    readonly id: string;
    readonly count: number;
    readonly minVcpuCountPerGpu: number;
    readonly minRamPerGpu: number;
    readonly minCudaVersion?: string;
  };
  readonly cpu?: { readonly id: string; readonly vcpuCount: number };
  readonly registry?: string;
  readonly mounts?: {
    readonly network: readonly [{ readonly volumeId: string; readonly path: string }];
  };
}

export interface NetworkVolume {
  readonly id: string;
  readonly name: string;
  /** GB. */
  readonly size: number;
  readonly dataCenter: string;
}

export interface Registry {
  readonly id: string;
  readonly name: string;
}

export type RunpodApiOptions = Pick<RestClientOptions, 'limiter' | 'fetch' | 'timeoutMs'> & {
  readonly endpoint: string;
  readonly apiKey: string;
};

export class RunpodApi {
  readonly #client: RestClient;
  readonly #lines: LogClient;

  constructor({ apiKey, ...options }: RunpodApiOptions) {
    const headers = () => ({ authorization: `Bearer ${apiKey}` });
    this.#client = new RestClient({
      ...options,
      ...{ title: 'RunPod', headers, rules: RUNPOD_REFUSALS, refusalIn },
    });
    this.#lines = { ...options, headers };
  }

  /** In each data centre, as far as pods with so many GPUs are concerned. */
  async gpus(count: number): Promise<readonly GpuType[]> {
    const query = `include=AVAILABILITY&product=POD&cloud=SECURE&count=${count}`;
    return await this.#list<GpuType>('gpus', `catalog/gpus?${query}`);
  }

  async cpus(): Promise<readonly CpuType[]> {
    return await this.#list<CpuType>('cpus', 'catalog/cpus?include=AVAILABILITY&product=POD');
  }

  async pods(): Promise<readonly Pod[]> {
    return await this.#list<Pod>('pods', 'pods');
  }

  /** Its id. */
  async createPod(body: NewPod, signal?: AbortSignal): Promise<string> {
    const call = { method: 'POST', path: at('pods'), body, kind: 'create', signal } as const;
    return (await this.#client.call<Pod>(call)).id;
  }

  async deletePod(id: string): Promise<void> {
    const path = at(`pods/${encodeURIComponent(id)}`);
    await this.#client.call({ method: 'DELETE', path, kind: 'end' });
  }

  /** The last line of its container; null = it printed nothing, or the line is not known. */
  async lastLine(id: string): Promise<string | null> {
    return await lastLineOf(
      this.#lines,
      at(`pods/${encodeURIComponent(id)}/logs?source=container&tail=50`),
    );
  }

  async registries(): Promise<readonly Registry[]> {
    return await this.#list<Registry>('registries', 'registries');
  }

  /** With the provider's time in µs. */
  async timedRegistries(): Promise<{
    readonly registries: readonly Registry[];
    readonly time: number | null;
  }> {
    const call = { method: 'GET', path: at('registries'), kind: 'look' } as const;
    const { body, time } = await this.#client.timed<Readonly<Record<string, unknown>> | null>(call);
    return { registries: listIn(body, 'registries'), time };
  }

  async createRegistry(body: {
    readonly name: string;
    readonly username: string;
    readonly password: string;
  }): Promise<Registry> {
    return await this.#client.call({ method: 'POST', path: at('registries'), body, kind: 'look' });
  }

  async deleteRegistry(id: string): Promise<void> {
    const path = at(`registries/${encodeURIComponent(id)}`);
    await this.#client.call({ method: 'DELETE', path, kind: 'look' });
  }

  async volumes(): Promise<readonly NetworkVolume[]> {
    return await this.#list('networkVolumes', 'network-volumes');
  }

  async createVolume(body: Omit<NetworkVolume, 'id'>): Promise<NetworkVolume> {
    const path = at('network-volumes');
    return await this.#client.call({ method: 'POST', path, body, kind: 'create' });
  }

  async deleteVolume(id: string): Promise<void> {
    const path = at(`network-volumes/${encodeURIComponent(id)}`);
    await this.#client.call({ method: 'DELETE', path, kind: 'end' });
  }

  async #list<T>(what: string, path: string): Promise<readonly T[]> {
    const answer = await this.#client.call<Readonly<Record<string, unknown>> | null>({
      ...{ method: 'GET', path: at(path), kind: 'look' },
    });
    return listIn<T>(answer, what);
  }
}

function listIn<T>(answer: Readonly<Record<string, unknown>> | null, what: string): readonly T[] {
  const found = answer?.[what];
  // An account that seems empty would end every machine that we know.
  if (!Array.isArray(found)) throw new NoAnswerError(`RunPod: no list of ${what}`);
  return found as readonly T[];
}

const at = (what: string): string => `/v2/${what}`;

/** `{title, status, detail, errors?}`; there are no codes. */
function refusalIn(body: unknown) {
  const { title, detail, errors } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof title !== 'string' || typeof detail !== 'string') return null;
  const more = Array.isArray(errors) && errors.length > 0 ? ` (${errors.join('; ')})` : '';
  return { code: title, text: `${detail}${more}` };
}
