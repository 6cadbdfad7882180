/** The providers of the stories: which adapter meets which simulated account, and what its calls mean. */
import type { BackendHost } from '@dstack/backends';
import type { DirectCloud, Vm } from '@dstack/testkit/cloud';

export type CloudName =
  | 'lambda'
  | 'aws'
  | 'crusoe'
  | 'gcp'
  | 'hotaisle'
  | 'runpod'
  | 'vastai'
  | 'verda'
  | 'vultr';

export interface SimulatedCloud {
  /** The variable that names the address of its API. */
  readonly variable: string;
  /** The path of that address, after the root of the account; omitted: none. */
  readonly path?: string;
  readonly config: (apiKey: string) => object;
  readonly catalog: (account: DirectCloud) => BackendHost['catalog'];
  /** The step of a machine's life that a request is; null = another one. */
  readonly stepOf: (url: string, body: string, method: string) => 'order' | 'end' | null;
  /** Machines get what shows whose they are by a later call; omitted: by their order. */
  readonly marksLater?: boolean;
  /** Whether a machine is charged for: some end those that they cannot start, or have taken back. */
  readonly isCharged: (vm: Vm) => boolean;
}

export const CLOUDS: Readonly<Record<CloudName, SimulatedCloud>> = {
  lambda: {
    variable: 'DSTACK_BACKEND_LAMBDA_ENDPOINT',
    config: (api_key) => ({ type: 'lambda', creds: { type: 'api_key', api_key } }),
    catalog: () => new Map(),
    stepOf: (url) =>
      url.endsWith('/launch') ? 'order' : url.endsWith('/terminate') ? 'end' : null,
    isCharged: ({ state }) => state !== 'failed',
  },
  aws: {
    variable: 'DSTACK_BACKEND_AWS_ENDPOINT',
    config: (access_key) => ({
      ...{ type: 'aws', regions: ['us-east-1'] },
      creds: { type: 'access_key', access_key, secret_key: 'secret' },
    }),
    catalog: ({ account }) => new Map([['aws', account.catalog.types.flatMap(itemsOf('aws'))]]),
    stepOf: (_, body) => {
      const action = new URLSearchParams(body).get('Action');
      if (action === 'RunInstances') return 'order';
      return action === 'TerminateInstances' ? 'end' : null;
    },
    isCharged: ({ state }) => state !== 'failed' && state !== 'interrupted',
  },
  gcp: {
    variable: 'DSTACK_BACKEND_GCP_ENDPOINT',
    config: (data) => ({
      ...{ type: 'gcp', project_id: 'demo-project', regions: ['us-central1'] },
      creds: { type: 'service_account', data },
    }),
    catalog: ({ account }) => new Map([['gcp', account.catalog.types.flatMap(itemsOf('gcp'))]]),
    stepOf: (url, _, method) => {
      if (method === 'DELETE') return 'end';
      return method === 'POST' && /\/instances\?/.test(url) ? 'order' : null;
    },
    // The disk of one that could not be started is.
    isCharged: ({ state }) => state !== 'interrupted',
  },
  crusoe: {
    variable: 'DSTACK_BACKEND_CRUSOE_ENDPOINT',
    path: '/v1alpha5',
    config: (apiKey) => {
      const [access_key, secret_key] = apiKey.split(':');
      const project_id = '6e28cad3-98e6-47a9-a9fc-1cd83a7f25c1';
      return { type: 'crusoe', project_id, creds: { type: 'access_key', access_key, secret_key } };
    },
    catalog: () => new Map(),
    stepOf: (url, _, method) => {
      if (!/\/compute\/vms\/instances/.test(url)) return null;
      return method === 'POST' ? 'order' : method === 'DELETE' ? 'end' : null;
    },
    isCharged: () => true,
  },
  hotaisle: {
    variable: 'DSTACK_BACKEND_HOTAISLE_ENDPOINT',
    path: '/api',
    config: (api_key) => ({
      ...{ type: 'hotaisle', team_handle: 'ada', creds: { type: 'api_key', api_key } },
    }),
    catalog: () => new Map(),
    stepOf: (url, _, method) => {
      const path = new URL(url).pathname;
      if (path.endsWith('/virtual_machines/') && method === 'POST') return 'order';
      return path.includes('/virtual_machines/') && method === 'DELETE' ? 'end' : null;
    },
    marksLater: true,
    // Those that are off keep their GPUs.
    isCharged: () => true,
  },
  runpod: {
    variable: 'DSTACK_BACKEND_RUNPOD_ENDPOINT',
    config: (api_key) => ({ type: 'runpod', creds: { type: 'api_key', api_key } }),
    catalog: () => new Map(),
    stepOf: (url, _, method) => {
      const path = new URL(url).pathname;
      if (path === '/v2/pods' && method === 'POST') return 'order';
      return path.startsWith('/v2/pods/') && method === 'DELETE' ? 'end' : null;
    },
    // Pods that have failed keep their disk.
    isCharged: () => true,
  },
  vastai: {
    variable: 'DSTACK_BACKEND_VASTAI_ENDPOINT',
    config: (api_key) => ({ type: 'vastai', creds: { type: 'api_key', api_key } }),
    catalog: () => new Map(),
    stepOf: (url, _, method) => {
      const path = new URL(url).pathname;
      if (path.includes('/asks/') && method === 'PUT') return 'order';
      return path.includes('/instances/') && method === 'DELETE' ? 'end' : null;
    },
    isCharged: () => true,
  },
  verda: {
    variable: 'DSTACK_BACKEND_VERDA_ENDPOINT',
    path: '/v1',
    config: (apiKey) => {
      const [client_id, client_secret] = apiKey.split(':');
      return { type: 'verda', creds: { type: 'api_key', client_id, client_secret } };
    },
    catalog: () => new Map(),
    stepOf: (url, _, method) => {
      if (!url.endsWith('/v1/instances')) return null;
      return method === 'POST' ? 'order' : method === 'PUT' ? 'end' : null;
    },
    isCharged: ({ state }) => state !== 'interrupted',
  },
  vultr: {
    variable: 'DSTACK_BACKEND_VULTR_ENDPOINT',
    path: '/v2',
    config: (api_key) => ({ type: 'vultr', creds: { type: 'api_key', api_key } }),
    catalog: () => new Map(),
    stepOf: (url, _, method) => {
      const path = new URL(url).pathname;
      if (!/^\/v2\/(instances|bare-metals)/.test(path)) return null;
      return method === 'POST' ? 'order' : method === 'DELETE' ? 'end' : null;
    },
    isCharged: () => true,
  },
};

type VmType = DirectCloud['account']['catalog']['types'][number];

const itemsOf =
  (provider: CloudName) =>
  ({ name, vcpus, memoryGib, pricePerHour, regions }: VmType) =>
    regions.map((location) => ({
      ...{ provider, instanceName: name, location, price: pricePerHour, spot: false },
      ...{ cpus: vcpus, memoryGb: memoryGib, gpuCount: 0, gpuName: null, gpuMemoryGb: 0 },
      ...{ gpuVendor: null, cpuArch: 'x86' as const, diskGb: null, flags: [], providerData: {} },
    }));
