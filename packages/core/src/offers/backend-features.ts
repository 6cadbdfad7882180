import type { BackendName } from '../model/index.ts';

/** What a backend can do, as far as it decides which offers may serve a job. */
export interface BackendTraits {
  /** Can make a bare instance that outlives its first job. */
  readonly createInstance: boolean;
  /** Its machines reach each other, so a job may span several of them. */
  readonly multinode: boolean;
  readonly privileged: boolean;
  /** Directories of the machine can be mounted into a job. */
  readonly instanceMounts: boolean;
  readonly reservations: boolean;
  /** The machine is the job's own container and ends with it: never idle, never shared. */
  readonly container: boolean;
  /** Machines for gateways, and such without a public address. */
  readonly gateway: boolean;
  readonly privateGateway: boolean;
}

const NONE: BackendTraits = {
  createInstance: false,
  multinode: false,
  privileged: false,
  instanceMounts: false,
  reservations: false,
  container: false,
  gateway: false,
  privateGateway: false,
};

const VM: BackendTraits = {
  ...NONE,
  createInstance: true,
  privileged: true,
  instanceMounts: true,
};

const VM_CLUSTER: BackendTraits = { ...VM, multinode: true };
const CONTAINER: BackendTraits = { ...NONE, container: true };
const GATEWAYS = { gateway: true, privateGateway: true };

/** The capability matrix of dstack 0.22.5, and `local`, which is ours. */
const TRAITS: Readonly<Record<BackendName, BackendTraits>> = {
  aws: { ...VM_CLUSTER, reservations: true, ...GATEWAYS },
  azure: { ...VM_CLUSTER, gateway: true },
  gcp: { ...VM_CLUSTER, reservations: true, ...GATEWAYS },
  oci: VM_CLUSTER,
  nebius: VM_CLUSTER,
  crusoe: VM_CLUSTER,
  vultr: VM_CLUSTER,
  jarvislabs: VM_CLUSTER,
  seeweb: VM_CLUSTER,
  lambda: VM,
  verda: VM,
  datacrunch: VM,
  digitalocean: VM,
  amddevcloud: VM,
  hotaisle: VM,
  cloudrift: VM,
  runpod: { ...CONTAINER, multinode: true },
  slurm: { ...CONTAINER, multinode: true },
  kubernetes: {
    ...CONTAINER,
    multinode: true,
    privileged: true,
    instanceMounts: true,
    gateway: true,
  },
  vastai: CONTAINER,
  daytona: CONTAINER,
  lium: CONTAINER,
  remote: { ...VM_CLUSTER, createInstance: false },
  local: VM,
  dstack: { ...VM_CLUSTER, reservations: true },
  cudo: NONE,
  tensordock: NONE,
};

export function backendTraits(backend: BackendName): BackendTraits {
  return TRAITS[backend] ?? NONE;
}

/** Name of the instance type of the server's machine when jobs run there without containers. */
export const LOCAL_PROCESS_INSTANCE = 'local-process';

/** The name of a backend as configurations say it: there `local` is a `remote` machine. */
export function configuredBackendName(backend: BackendName): string {
  return backend === 'local' ? 'remote' : backend;
}
