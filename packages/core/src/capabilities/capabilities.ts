import type { BackendName } from '../model/index.ts';

/** The capabilities of a backend as data, so that no rule names a backend. */
export interface Capabilities {
  /**
   * Who owns the machines. `provider`: created on order and charged until they are terminated.
   * `user`: SSH hosts of a fleet, never created, kept while they are idle. `server`: the server
   * host, of which each instance is a slot.
   */
  readonly owner: 'provider' | 'user' | 'server';
  /** From the order of a machine to the first connection of its agent, in seconds. */
  readonly provisioningSeconds: (instanceType: string) => number;
  /** Orders wait in a queue of its own, for as long as the run retries to get capacity. */
  readonly ownQueue: boolean;
  /**
   * Its jobs continue while the server cannot reach it, it reports later how they have ended, and a machine
   * that cannot be reached costs nothing more.
   */
  readonly jobsOutliveSilence: boolean;
  /** Each offer is a node of a cluster, not a type of instance that there are many of. */
  readonly offersAreNodes: boolean;
  /** Can create an instance without a job, which outlives its first job. */
  readonly createInstance: boolean;
  /** Its machines reach each other, so a job may run on several of them. */
  readonly multinode: boolean;
  readonly privileged: boolean;
  /** Directories of the machine can be mounted into a job. */
  readonly instanceMounts: boolean;
  readonly reservations: boolean;
  /** Machines that are ordered one by one can be put close to each other. */
  readonly placementGroups: boolean;
  /** All nodes of a gang are ordered, and end, together. */
  readonly groupProvisioning: boolean;
  /** Named volumes can be mounted into a job. */
  readonly volumes: boolean;
  /** Reports about one volume are current and cost little, so a volume that is missing was deleted. */
  readonly currentVolumes: boolean;
  /** Has offers of machines that it may reclaim. */
  readonly spot: boolean;
  /** The machine is the job's own container and ends with it: never idle, never shared. */
  readonly container: boolean;
  /** The runtime that offers show: the job's container starts on the machine, or is the machine. */
  readonly runtime: 'shim' | 'runner';
  /** Sells machines of other backends, so a list of backends never excludes it. */
  readonly marketplace: boolean;
  /**
   * Machines for gateways, machines without a public address for them, and load balancers in front
   * of several.
   */
  readonly gateway: boolean;
  readonly privateGateway: boolean;
  readonly loadBalancer: boolean;
  /** Certificates of the provider that its load balancers can use. */
  readonly managedCertificates: 'acm' | 'gcp-cm' | null;
}

const minutes = (count: number) => () => count * 60;

const NONE: Capabilities = {
  owner: 'provider',
  provisioningSeconds: minutes(10),
  ownQueue: false,
  jobsOutliveSilence: false,
  offersAreNodes: false,
  createInstance: false,
  multinode: false,
  privileged: false,
  instanceMounts: false,
  reservations: false,
  placementGroups: false,
  groupProvisioning: false,
  volumes: false,
  currentVolumes: false,
  spot: false,
  container: false,
  runtime: 'shim',
  marketplace: false,
  gateway: false,
  privateGateway: false,
  loadBalancer: false,
  managedCertificates: null,
};

const VM: Capabilities = {
  ...NONE,
  createInstance: true,
  privileged: true,
  instanceMounts: true,
};

const VM_CLUSTER: Capabilities = { ...VM, multinode: true };
const CONTAINER: Capabilities = { ...NONE, container: true, runtime: 'runner' };
const GATEWAYS = { gateway: true, privateGateway: true, loadBalancer: true };

/** Capabilities and start-up times of dstack 0.22.5, and those of `local`. */
const CAPABILITIES: Readonly<Record<BackendName, Capabilities>> = {
  aws: {
    ...VM_CLUSTER,
    reservations: true,
    placementGroups: true,
    volumes: true,
    spot: true,
    ...GATEWAYS,
    managedCertificates: 'acm',
  },
  azure: { ...VM_CLUSTER, spot: true, gateway: true },
  gcp: {
    ...VM_CLUSTER,
    reservations: true,
    placementGroups: true,
    volumes: true,
    spot: true,
    ...GATEWAYS,
    managedCertificates: 'gcp-cm',
    provisioningSeconds: (type) => (type === 'a4-highgpu-8g' ? 16 : 10) * 60,
  },
  oci: {
    ...VM_CLUSTER,
    spot: true,
    provisioningSeconds: (type) => (type.startsWith('BM.') ? 20 : 10) * 60,
  },
  nebius: { ...VM_CLUSTER, placementGroups: true, spot: true },
  crusoe: { ...VM_CLUSTER, placementGroups: true },
  vultr: {
    ...VM_CLUSTER,
    provisioningSeconds: (type) => (type.startsWith('vbm') ? 55 : 10) * 60,
  },
  jarvislabs: VM_CLUSTER,
  seeweb: { ...VM_CLUSTER, provisioningSeconds: minutes(20) },
  lambda: { ...VM, provisioningSeconds: minutes(30) },
  verda: { ...VM, spot: true },
  datacrunch: { ...VM, spot: true },
  digitalocean: VM,
  amddevcloud: VM,
  hotaisle: VM,
  cloudrift: { ...VM, provisioningSeconds: minutes(30) },
  // Its offers show `shim` in dstack 0.22.5, although the job's container is the machine.
  runpod: {
    ...CONTAINER,
    runtime: 'shim',
    multinode: true,
    groupProvisioning: true,
    volumes: true,
    spot: true,
    provisioningSeconds: minutes(20),
  },
  slurm: {
    ...CONTAINER,
    ownQueue: true,
    offersAreNodes: true,
    jobsOutliveSilence: true,
    multinode: true,
    groupProvisioning: true,
    provisioningSeconds: minutes(20),
  },
  kubernetes: {
    ...CONTAINER,
    currentVolumes: true,
    ownQueue: true,
    offersAreNodes: true,
    multinode: true,
    privileged: true,
    instanceMounts: true,
    volumes: true,
    gateway: true,
    provisioningSeconds: minutes(20),
  },
  vastai: { ...CONTAINER, spot: true },
  daytona: { ...CONTAINER, volumes: true, spot: true, provisioningSeconds: minutes(20) },
  lium: { ...CONTAINER, volumes: true, spot: true },
  remote: {
    ...VM_CLUSTER,
    createInstance: false,
    volumes: true,
    gateway: true,
    privateGateway: true,
    owner: 'user',
    jobsOutliveSilence: true,
  },
  local: {
    ...VM,
    volumes: true,
    gateway: true,
    privateGateway: true,
    owner: 'server',
    jobsOutliveSilence: true,
  },
  dstack: { ...VM_CLUSTER, reservations: true, marketplace: true },
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

/** The server host. */
export const LOCAL_BACKEND = 'local' satisfies BackendName;

/** SSH hosts, which fleets name. */
export const SSH_HOST_BACKEND = 'remote' satisfies BackendName;

/** In a configuration, the place of a gateway or volume on the server host. */
export const LOCAL_REGION_NAME = 'local';

/** The backend that makes the machines of a gateway. */
export function gatewayBackend({
  backend,
  region,
}: {
  readonly backend: BackendName;
  readonly region: string;
}): BackendName {
  return backend === SSH_HOST_BACKEND && region === LOCAL_REGION_NAME ? LOCAL_BACKEND : backend;
}

/** Backends whose instances are slots of the server host, for queries. */
export const SERVER_HOST_BACKENDS = (Object.keys(CAPABILITIES) as BackendName[]).filter(
  isServerHost,
);

/** Names of backends in a configuration; the server host has the name of SSH hosts there. */
export function backendsNamed(names: readonly BackendName[]): BackendName[] {
  return names.includes(SSH_HOST_BACKEND) ? [...names, ...SERVER_HOST_BACKENDS] : [...names];
}

/** Name of the instance type of the server host when jobs run there without containers. */
export const LOCAL_PROCESS_INSTANCE = 'local-process';

/** The name of a backend in configurations; the server host is `remote` there. */
export function configuredBackendName(backend: BackendName): string {
  return isServerHost(backend) ? SSH_HOST_BACKEND : backend;
}
