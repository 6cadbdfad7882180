/** The adapter of GCP at a simulated account. */
import type { Cloud } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { AccessTokens } from '../base/rest-vm/access-tokens.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { type CatalogItem, catalogItems, parseCatalog } from '../catalog/catalog.ts';
import { Compute } from './compute.ts';
import { gcpEndpoints } from './endpoints.ts';
import { gcpBackend } from './gcp.ts';
import { GcpAccount } from './gcp-account.ts';
import { GcpClient } from './gcp-client.ts';
import type { GcpSettings } from './settings.ts';
import { serviceAccountTokens } from './token-sources.ts';

/** The project of the simulated account. */
export const PROJECT = 'demo-project';
export const REGION = 'us-central1';

const COLUMNS =
  'provider,instance_name,locations,price,spot_price,cpu,memory,gpu_count,gpu_name,gpu_memory,gpu_vendor,cpu_arch,disk_size,flags,provider_data';
const ROWS = [
  'gcp,e2-standard-2,us-central1-a;us-central1-b;us-west4-a,0.067,0.01,2,8,0,,,,x86,,,',
  'gcp,e2-standard-4,us-central1-a;us-central1-b,0.134,0.04,4,16,0,,,,x86,,,',
  'gcp,n1-standard-8,us-central1-a,0.73,0.21,8,30,1,T4,16,nvidia,x86,,,',
  'gcp,n1-standard-8,us-central1-a,2.86,0.83,8,30,1,V100,16,nvidia,x86,,,',
  'gcp,g2-standard-4,us-central1-a;us-west4-a,0.7069,0.21,4,16,1,L4,24,nvidia,x86,,,',
  'gcp,g2-standard-96,us-central1-a,8.0072,2.43,96,384,16,L4,24,nvidia,x86,,,',
  'gcp,a2-highgpu-1g,us-central1-a,3.6734,1.1,12,85,1,A100,40,nvidia,x86,,,',
  'gcp,v5litepod-1,us-central1-a,1.2,0.6,24,48,1,v5litepod,16,google,x86,,,',
  'gcp,t2d-standard-1,us-central1-a,0.04,0.01,1,4,0,,,,x86,,,',
];
export const LISTED: readonly CatalogItem[] = catalogItems(
  parseCatalog([COLUMNS, ...ROWS].join('\n')),
  'gcp',
);

export const SETTINGS: GcpSettings = {
  ...{ project: PROJECT, regions: [REGION], showsTpus: false, serviceAccount: null },
  ...{ labels: {}, previews: [] },
  network: {
    ...{ hostProject: null, vpc: null, subnetworks: {}, extraVpcs: [] },
    ...{ isPublic: true, checksNat: true },
  },
};

export interface GcpAt {
  readonly cloud: Pick<Cloud, 'url' | 'apiKey' | 'account'>;
  readonly pace: CallPace;
  readonly settings?: Partial<GcpSettings>;
  readonly network?: Partial<GcpSettings['network']>;
  readonly fetch?: typeof fetch;
  readonly leaseSeconds?: number | null;
}

/** The clock of the tests stands still, so that all calls fall into one second. */
const NO_RULES = [{ calls: 100_000, seconds: 1 }];

export function computeAt({ cloud, pace, fetch: send }: GcpAt): Compute {
  const endpoints = gcpEndpoints(cloud.url);
  const options = {
    ...{ endpoints, now: () => cloud.account.clock.now / 1000 },
    ...(send && { fetch: send }),
  };
  const source = serviceAccountTokens(cloud.apiKey, options);
  const tokens = new AccessTokens(source, () => pace.now());
  const limiter = new CallLimiter({ title: 'GCP', rules: NO_RULES, pace });
  const client = new GcpClient({
    ...{ tokens, endpoints, limiter, timeoutMs: 10_000 },
    ...(send && { fetch: send }),
  });
  return new Compute(client, PROJECT);
}

export function gcpAt(at: GcpAt): Backend {
  const stored = new Map<string, string>();
  const { pace } = at;
  const account = new GcpAccount({
    // On a busy computer the first answer takes longer than a plan waits, and tests are about its content.
    showsCatalog: false,
    ...{ id: 'account', compute: computeAt(at), listed: () => LISTED },
    ...{ pace, now: () => pace.now() },
    facts: {
      get: async (key) => stored.get(key) ?? null,
      set: async (key, value) => void stored.set(key, value),
    },
  });
  return gcpBackend({
    account,
    settings: { ...SETTINGS, ...at.settings, network: { ...SETTINGS.network, ...at.network } },
    ...{ catalogNote: () => null, secret: 'secret', pace },
    leaseSeconds: at.leaseSeconds === undefined ? 7200 : at.leaseSeconds,
  });
}
