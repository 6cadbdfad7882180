/** RunPod as a provider of containers: each pod is the container of one job. */
import { createHmac } from 'node:crypto';
import { errorMessage } from '@dstack/contract/error-message';
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { TAGS_VARIABLE, tagsAsVariable, tagsFromVariable } from '../base/container-cloud/tags.ts';
import { tried } from '../base/container-cloud/tried.ts';
import { BackendError, BusyError, PreparingError, SkipOfferError } from '../base/errors.ts';
import { largestKnownGpu } from '../base/known-gpus.ts';
import type { CheckResult, Claims } from '../base/port.ts';
import { addedOnce } from '../base/rest-vm/added-once.ts';
import { KEY_TAG } from '../base/rest-vm/names.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import type { Vm, VmContainer, VmOrder, VmPhase, WholeCloud } from '../base/rest-vm/vm-cloud.ts';
import type { VolumePort } from '../base/volume-port.ts';
import type { CatalogItem } from '../catalog/catalog.ts';
import type { NewPod, Pod, Registry, RunpodApi } from './api.ts';
import { runpodClaims } from './claims.ts';
import { RunpodMemory } from './memory.ts';
import { cpuInstance, gpuModel, MOST_GPUS, runpodOffers, withDisk } from './offers.ts';
import { runpodVolumes } from './volumes.ts';

export interface RunpodOptions {
  readonly api: RunpodApi;
  /** Names of stored credentials of registries are derived from it. */
  readonly apiKey: string;
  /** Data centres of the configuration; null = all. */
  readonly regions: readonly string[] | null;
  /** The catalogue's list now. */
  readonly listed: () => readonly CatalogItem[];
  /** Omitted: no other backend has the same key. */
  readonly memory?: RunpodMemory;
  readonly pace: Pick<CallPace, 'now'>;
}

const STATUSES: Readonly<Record<string, VmPhase>> = {
  PROVISIONING: 'waiting',
  STARTING: 'waiting',
  RUNNING: 'ready',
  // Its disk costs money until it is deleted.
  EXITED: 'broken',
  ERROR: 'broken',
  TERMINATED: 'ended',
};

/** Availability depends on the number of GPUs, and each of them costs a call. */
const ASKED_COUNTS = [1, 2, 4, 8] as const;
const MIB_PER_GB = 1024;
/** The least version on hosts with GPUs of NVIDIA: the default image needs it, and dstack 0.22.5 asks for it too. */
const LEAST_CUDA = '12.8';
/** The data centre that was ordered. */
const REGION_TAG = 'dstack-region';
const REGISTRY_PREFIX = 'dstack-registry-';
const DIGITS = 20;
/** The words for credentials that are not there; they have no code of their own. */
const NO_REGISTRY = /registry auth not found/i;
/** Pods whose last messages are asked for by one list, and remembered. */
const WORDS = { atOnce: 3, kept: 1000 };

export class Runpod implements WholeCloud {
  readonly type = 'runpod';
  readonly title = 'RunPod';
  readonly loginUser = 'root';
  readonly statuses = STATUSES;
  readonly hasVolumes = true;
  readonly lateMs = 30_000;
  readonly #options: RunpodOptions;
  readonly volumes: VolumePort;
  readonly claims: Claims;
  readonly #memory: RunpodMemory;

  constructor(options: RunpodOptions) {
    this.#options = options;
    this.#memory = options.memory ?? new RunpodMemory();
    this.volumes = runpodVolumes(options);
    this.claims = runpodClaims(options.api, (text) => NO_REGISTRY.test(text));
  }

  async list(): Promise<readonly Vm[]> {
    const pods = await this.#options.api.pods();
    this.#memory.pods = pods;
    await this.#listen(pods);
    return pods.map((pod) => this.#vmOf(pod));
  }

  /** Asks why pods of ours have ended. */
  async #listen(pods: readonly Pod[]): Promise<void> {
    const { lastLines } = this.#memory;
    const ended = pods.filter(
      ({ id, status, env }) =>
        (STATUSES[status] ?? 'waiting') === 'broken' &&
        !lastLines.has(id) &&
        tagsFromVariable(env?.[TAGS_VARIABLE])[KEY_TAG] !== undefined,
    );
    await Promise.all(
      ended.slice(0, WORDS.atOnce).map(async ({ id }) => {
        lastLines.set(id, await this.#options.api.lastLine(id));
        const [oldest] = lastLines.keys();
        if (lastLines.size > WORDS.kept && oldest !== undefined) lastLines.delete(oldest);
      }),
    );
  }

  /** Credentials for the image are stored in the account first; pods name them by their id. */
  async prepare({ container }: VmOrder): Promise<void> {
    const { api } = this.#options;
    const auth = container?.registryAuth;
    if (!auth) return;
    const name = this.#registryName(auth);
    if (this.#memory.registries.has(name)) return;
    const known = async () => (await api.registries()).find((one) => one.name === name) ?? null;
    const create = () => api.createRegistry({ name, ...auth });
    const { id } = (await known()) ?? (await addedOnce(create, known));
    this.#memory.registries.set(name, id);
  }

  async create(order: VmOrder): Promise<string> {
    const { container, signal } = order;
    if (!container) throw new SkipOfferError('RunPod needs a job to run');
    const auth = container.registryAuth;
    const name = auth && this.#registryName(auth);
    const registry = name === null ? null : (this.#memory.registries.get(name) ?? null);
    if (name !== null && registry === null) {
      throw new PreparingError('RunPod is asked for the credentials of the registry again');
    }
    try {
      return await this.#options.api.createPod(podOf(order, container, registry), signal);
    } catch (error) {
      if (name === null || error instanceof BusyError) throw error;
      // A user may have deleted them, or this server with the last other pod that used them.
      this.#memory.registries.delete(name);
      const isGone = NO_REGISTRY.test(errorMessage(error));
      throw isGone ? new PreparingError(errorMessage(error), { cause: error }) : error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    const { api } = this.#options;
    const { pods } = this.#memory;
    await api.deletePod(id);
    const registry = pods.find((pod) => pod.id === id)?.registry ?? null;
    if (registry === null || pods.some((pod) => pod.id !== id && pod.registry === registry)) return;
    // RunPod keeps what a pod still uses, and the next pod that ends tries it again.
    await this.#forgetRegistry(registry).catch(() => {});
  }

  async offers(): Promise<readonly Offer[]> {
    const { api, regions, listed } = this.#options;
    const [cpus, ...gpus] = await Promise.all([
      api.cpus(),
      ...ASKED_COUNTS.map((count) => api.gpus(count)),
    ]);
    this.#memory.gpuTypes = new Map(gpus[0]?.map((type) => [type.id, type]));
    const byCount = new Map(ASKED_COUNTS.map((count, index) => [count, gpus[index] ?? []]));
    return runpodOffers({ gpus: byCount, cpus, regions, listed: listed() });
  }

  shaped(offer: Offer, requirements: Requirements): Offer {
    return withDisk(offer, requirements);
  }

  /** Its pods are in no common network; its clusters are ordered as a whole. */
  refusalOf({ multinode }: Requirements): string | null {
    return multinode
      ? 'clusters of RunPod cannot be used yet, so it runs jobs on one node only'
      : null;
  }

  /** Keys have scopes; those for creating cannot be tried without creating something. */
  async check(): Promise<readonly CheckResult[]> {
    const { api } = this.#options;
    const pods = await tried('runpod: pods', () => api.pods());
    if (!pods.ok) return [pods];
    return [
      pods,
      ...(await Promise.all([
        tried('runpod: catalogue', () => api.cpus()),
        tried('runpod: registries', () => api.registries()),
        tried('runpod: network volumes', () => api.volumes()),
      ])),
    ];
  }

  /** Reveals nothing of them: the key of the account is part of the name. */
  #registryName({ username, password }: NonNullable<VmContainer['registryAuth']>): string {
    const hash = createHmac('sha256', this.#options.apiKey).update(`${username}\0${password}`);
    return `${REGISTRY_PREFIX}${hash.digest('hex').slice(0, DIGITS)}`;
  }

  async #forgetRegistry(id: string): Promise<void> {
    const { api } = this.#options;
    const isOurs = (one: Registry) => one.id === id && one.name.startsWith(REGISTRY_PREFIX);
    const found = (await api.registries()).find(isOurs);
    if (!found) return;
    await api.deleteRegistry(id);
    this.#memory.registries.delete(found.name);
  }

  #vmOf(pod: Pod): Vm {
    const { id, name, status, cost, dataCenterId, env, globalNetworking } = pod;
    const tags = tagsFromVariable(env?.[TAGS_VARIABLE]);
    // Until the pod is placed, RunPod names none.
    const region = dataCenterId ?? tags[REGION_TAG] ?? '';
    return {
      ...{ id, name, status, region, tags, instance: this.#instanceOf(pod) },
      price: cost > 0 ? cost : null,
      ...{ address: null, privateAddress: globalNetworking?.ip ?? null },
      problem: this.#memory.lastLines.get(id) ?? null,
    };
  }

  #instanceOf({ gpu, cpu, disk }: Pod): Offer['instance'] {
    const size = { size_mib: disk * MIB_PER_GB };
    if (cpu !== undefined) {
      const { name, resources } = cpuInstance(cpu.id, cpu.vcpuCount, cpu.memory);
      return { name, resources: { ...resources, disk: size } };
    }
    const { id = '', count: reported = 1, vcpuCount = 0, memory = 0 } = gpu ?? {};
    const count = Math.min(MOST_GPUS, reported);
    const model = this.#modelOf(id);
    return {
      name: id,
      resources: {
        ...{ cpus: vcpuCount, memory_mib: Math.round(memory * MIB_PER_GB), disk: size },
        gpus: model === null ? [] : Array.from({ length: count }, () => model),
        ...{ spot: false, cpu_arch: 'x86', description: '' },
      },
    };
  }

  /** By the catalogue, if it has been asked for since the start; else by the words of the id. */
  #modelOf(id: string) {
    const type = this.#memory.gpuTypes.get(id);
    if (type) return gpuModel(type);
    const [, maker = '', name = ''] = /^(NVIDIA|AMD)(?: Instinct)? (.+)$/.exec(id) ?? [];
    const found = gpuModel({ manufacturer: maker, name, memory: 0 });
    return found && largestKnownGpu(found.vendor as 'nvidia', found.name);
  }
}

function podOf(order: VmOrder, container: VmContainer, registry: string | null): NewPod {
  const { name, offer, tags } = order;
  const { image, command, environment, volumes } = container;
  const [program = '', ...rest] = command;
  const [volume, ...others] = volumes;
  const all = { ...tags, [REGION_TAG]: offer.region };
  if (others.length > 0) throw new SkipOfferError('RunPod mounts one network volume into a pod');
  return {
    ...{ name, cloud: 'SECURE', dataCenterIds: [offer.region], image },
    ...{ entrypoint: [program], cmd: rest, disk: gbOf(offer.instance.resources.disk.size_mib) },
    // Root, whatever the user of the image is, as dstack 0.22.5 asks for it.
    env: { ...environment, [TAGS_VARIABLE]: tagsAsVariable(all), RUNPOD_POD_USER: '0' },
    ...computeOf(offer),
    ...(registry !== null && { registry }),
    ...(volume && { mounts: { network: [{ volumeId: volume.id, path: volume.path }] } }),
  };
}

const gbOf = (mib: number): number => Math.max(1, Math.round(mib / MIB_PER_GB));

function computeOf({ instance: { name, resources } }: Offer): Pick<NewPod, 'gpu' | 'cpu'> {
  const { gpus, cpus, memory_mib: memory } = resources;
  const [first] = gpus;
  if (first === undefined) {
    const [, flavour] = /^(.+)-\d+-\d+$/.exec(name) ?? [];
    if (flavour === undefined) throw new BackendError(`RunPod has no type ${name}`);
    return { cpu: { id: flavour, vcpuCount: cpus } };
  }
  const count = gpus.length;
  return {
    gpu: {
      ...{ id: name, count },
      // The host must have what the offer promised: rounded down, or the host it is based on would be left out.
      minVcpuCountPerGpu: Math.max(1, Math.floor(cpus / count)),
      minRamPerGpu: Math.max(1, Math.floor(memory / MIB_PER_GB / count)),
      ...(first.vendor === 'nvidia' && { minCudaVersion: LEAST_CUDA }),
    },
  };
}
