/** The adapter of AWS at moto. */
import { type Aws, type Moto, motoEnvironment, startMoto } from '@dstack/testkit/cloud';
import type { Backend } from '../base/port.ts';
import { CallLimiter } from '../base/rest-vm/call-limiter.ts';
import type { CallPace } from '../base/rest-vm/pace.ts';
import { type CatalogItem, catalogItems, parseCatalog } from '../catalog/catalog.ts';
import { awsBackend } from './aws.ts';
import { AwsAccount } from './aws-account.ts';
import { AwsClient, type AwsCredentials } from './aws-client.ts';
import { awsEndpoints } from './endpoints.ts';
import type { AwsSettings } from './settings.ts';

export const REGION = 'us-east-1';
export const KEYS: AwsCredentials = { accessKey: 'key', secretKey: 'secret', sessionToken: null };

const COLUMNS =
  'provider,instance_name,locations,price,spot_price,cpu,memory,gpu_count,gpu_name,gpu_memory,gpu_vendor,cpu_arch,disk_size,flags,provider_data';
const ROWS = [
  'aws,t3.small,us-east-1;us-east-2,0.0208,0.0064,2,2,0,,,,x86,,,',
  'aws,m5.large,us-east-1;us-east-2,0.096,0.035,2,8,0,,,,x86,,,',
  'aws,g5.xlarge,us-east-1,1.006,0.42,4,16,1,A10G,24,nvidia,x86,,,',
  'aws,p5.48xlarge,us-east-1,55.04,30,192,2048,8,H100,80,nvidia,x86,,,',
  'aws,m7g.large,us-east-1,0.0816,,2,8,0,,,,arm,,,',
];
export const LISTED: readonly CatalogItem[] = catalogItems(
  parseCatalog([COLUMNS, ...ROWS].join('\n')),
  'aws',
);

export const SETTINGS: AwsSettings = {
  ...{ regions: [REGION], vpcIds: {}, images: null, profile: null, tags: {}, experimental: [] },
  network: { vpcName: null, allowsDefault: true, isPublic: true },
};

/** The clock of the tests stands still, so that all calls fall into one second. */
const NO_RULES = [{ calls: 100_000, seconds: 1 }];

export interface AwsAt {
  readonly aws: Pick<Aws, 'url'>;
  readonly pace: CallPace;
  readonly keys?: AwsCredentials;
  readonly settings?: Partial<AwsSettings>;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly leaseSeconds?: number | null;
}

export function clientAt({ aws, pace, keys = KEYS, now = Date.now }: AwsAt): AwsClient {
  const limiter = new CallLimiter({ title: 'AWS', rules: NO_RULES, pace });
  return new AwsClient({
    ...{ credentials: async () => keys, endpoints: awsEndpoints(aws.url) },
    ...{ limiter: () => limiter, now, timeoutMs: 10_000 },
  });
}

export function accountAt(at: AwsAt): AwsAccount {
  const stored = new Map<string, string>();
  const { pace } = at;
  return new AwsAccount({
    // Moto is slow at first, and tests are about its answers.
    showsCatalog: false,
    ...{ id: 'account', client: clientAt(at), listed: () => LISTED, pace, now: () => pace.now() },
    facts: {
      get: async (key) => stored.get(key) ?? null,
      set: async (key, value) => void stored.set(key, value),
    },
  });
}

export function awsAt(at: AwsAt): Backend {
  return awsBackend({
    account: accountAt(at),
    settings: { ...SETTINGS, ...at.settings },
    ...{ catalogNote: () => null, secret: 'secret', pace: at.pace },
    leaseSeconds: at.leaseSeconds === undefined ? 7200 : at.leaseSeconds,
  });
}

export interface MotoAtHand {
  /** Where its programs are; null = it cannot be installed here. */
  readonly environment: string | null;
  start(): Promise<Moto>;
}

/** Moto, or a message on the console why nothing is tested; on CI it is required. */
export function motoAtHand(what: string): MotoAtHand {
  const { path, missing } = motoEnvironment();
  if (missing !== null) console.warn(`${what} is NOT tested: ${missing}`);
  return { environment: path, start: () => startMoto(path ?? '') };
}
