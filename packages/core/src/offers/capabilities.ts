import type { BackendName } from '../model/index.ts';

/** What a backend can do and whose machines it has: data, so that no rule names a backend. */
export interface Capabilities {
  /**
   * Whose machines they are. `provider`: created on order and charged until they are terminated.
   * `user`: SSH hosts of a fleet, never created, kept while they are idle. `server`: the server host,
   * of which each instance is a slot.
   */
  readonly owner: 'provider' | 'user' | 'server';
  /** From the order of a machine to the first connection of its agent, in seconds. */
  readonly provisioningSeconds: (instanceType: string) => number;
  /** Can make a bare instance that outlives its first job. */
  readonly createInstance: boolean;
  /** Its machines reach each other, so a job may span several of them. */
  readonly multinode: boolean;
  readonly privileged: boolean;
  /** Directories of the machine can be mounted into a job. */
  readonly instanceMounts: boolean;
  readonly reservations: boolean;
  /** Named volumes can be mounted into a job. */
  readonly volumes: boolean;
  /** The machine is the job's own container and ends with it: never idle, never shared. */
  readonly container: boolean;
  /** As offers show it: the job's container starts on the machine, or is the machine. */
  readonly runtime: 'shim' | 'runner';
  /** Machines for gateways, and such without a public address. */
  readonly gateway: boolean;
  readonly privateGateway: boolean;
}

const minutes = (count: number) => () => count * 60;

const NONE: Capabilities = {
  owner: 'provider',
  provisioningSeconds: minutes(10),
  createInstance: false,
  multinode: false,
  privileged: false,
  instanceMounts: false,
  reservations: false,
  volumes: false,
  container: false,
  runtime: 'shim',
  gateway: false,
  privateGateway: false,
};

const VM: Capabilities = {
  ...NONE,
  createInstance: true,
  privileged: true,
  instanceMounts: true,
};

const VM_CLUSTER: Capabilities = { ...VM, multinode: true };
const CONTAINER: Capabilities = { ...NONE, container: true, runtime: 'runner' };
const GATEWAYS = { gateway: true, privateGateway: true };

/** Capabilities and times to start up of dstack 0.22.5, and `local`, which is ours. */
const CAPABILITIES: Readonly<Record<BackendName, Capabilities>> = {
  aws: { ...VM_CLUSTER, reservations: true, volumes: true, ...GATEWAYS },
  azure: { ...VM_CLUSTER, gateway: true },
  gcp: {
    ...VM_CLUSTER,
    reservations: true,
    volumes: true,
    ...GATEWAYS,
    provisioningSeconds: (type) => (type === 'a4-highgpu-8g' ? 16 : 10) * 60,
  },
  oci: {
    ...VM_CLUSTER,
    provisioningSeconds: (type) => (type.startsWith('BM.') ? 20 : 10) * 60,
  },
  nebius: VM_CLUSTER,
  crusoe: VM_CLUSTER,
  vultr: {
    ...VM_CLUSTER,
    provisioningSeconds: (type) => (type.startsWith('vbm') ? 55 : 10) * 60,
  },
  jarvislabs: VM_CLUSTER,
  seeweb: { ...VM_CLUSTER, provisioningSeconds: minutes(20) },
  lambda: { ...VM, provisioningSeconds: minutes(30) },
  verda: VM,
  datacrunch: VM,
  digitalocean: VM,
  amddevcloud: VM,
  hotaisle: VM,
  cloudrift: { ...VM, provisioningSeconds: minutes(30) },
  // Its offers show `shim` in dstack 0.22.5, although the job's container is the machine.
  runpod: {
    ...CONTAINER,
    runtime: 'shim',
    multinode: true,
    volumes: true,
    provisioningSeconds: minutes(20),
  },
  slurm: { ...CONTAINER, multinode: true, provisioningSeconds: minutes(20) },
  kubernetes: {
    ...CONTAINER,
    multinode: true,
    privileged: true,
    instanceMounts: true,
    volumes: true,
    gateway: true,
    provisioningSeconds: minutes(20),
  },
  vastai: CONTAINER,
  daytona: { ...CONTAINER, volumes: true, provisioningSeconds: minutes(20) },
  lium: { ...CONTAINER, volumes: true },
  remote: { ...VM_CLUSTER, createInstance: false, volumes: true, owner: 'user' },
  local: { ...VM, volumes: true, owner: 'server' },
  dstack: { ...VM_CLUSTER, reservations: true },
  cudo: NONE,
  tensordock: NONE,
};

/** Null = no backend has been chosen yet. */
export function capabilitiesOf(backend: BackendName | null): Capabilities {
  return (backend && CAPABILITIES[backend]) || NONE;
}

/** A slot of the server host. */
export const isServerHost = (backend: BackendName | null): boolean =>
  capabilitiesOf(backend).owner === 'server';

/** Name of the instance type of the server's machine when jobs run there without containers. */
export const LOCAL_PROCESS_INSTANCE = 'local-process';

/** The name of a backend as configurations have it: there the server host is a `remote` machine. */
export function configuredBackendName(backend: BackendName): string {
  return isServerHost(backend) ? 'remote' : backend;
}
