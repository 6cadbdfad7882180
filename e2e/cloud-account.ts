/** A simulated account at a provider behind its real API, with hosts of the yard as its machines. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import {
  type Cloud,
  type CloudKnobs,
  startCloud,
  startYard,
  type Yard,
  yardMissing,
} from '@dstack/testkit/cloud';
import { busyboxTar } from '@dstack/testkit/docker';
import { TestRegistry } from '@dstack/testkit/registry';
import { newInstallation } from './installation.ts';

/** Names what this computer lacks for real machines; null = nothing. On CI it throws instead. */
export function missingForClouds(): string | null {
  const missing = yardMissing();
  if (missing && process.env.CI) throw new Error(`Clouds cannot be tested: ${missing} is missing`);
  if (missing) console.warn(`Machines of clouds are NOT tested: ${missing} is missing`);
  return missing;
}

/** Hosts with Docker, and a registry that they reach. */
export interface CloudYard extends AsyncDisposable {
  readonly yard: Yard;
  /** The name of the busybox image, as the hosts pull it. */
  readonly image: string;
}

export async function startCloudYard(): Promise<CloudYard> {
  const yard = await startYard({ docker: true });
  const registry = await TestRegistry.start();
  const dir = mkdtempSync(join(tmpdir(), 'cloud-yard-'));
  registry.add('busybox:1', { layers: [busyboxTar(dir)] });
  rmSync(dir, { recursive: true });
  return {
    yard,
    image: `${yard.gateway}:${registry.port}/busybox:1`,
    [Symbol.asyncDispose]: async () => {
      await registry.close();
      await yard.close();
    },
  };
}

export interface CloudAccountAtWork extends AsyncDisposable {
  readonly home: Installation;
  readonly cloud: Cloud;
}

/** Machines boot in a second, and are still there for one after they were ended. */
export const QUICK: CloudKnobs = { boot_seconds: [1, 1], delete_seconds: 1 };

type CloudType =
  | 'lambda'
  | 'digitalocean'
  | 'amddevcloud'
  | 'crusoe'
  | 'gcp'
  | 'hotaisle'
  | 'verda'
  | 'vultr';

const byKey = (type: CloudType) => (api_key: string) => ({
  ...{ type, creds: { type: 'api_key', api_key } },
});

/** Configurations of the accounts, by their keys. JSON is YAML. */
const CONFIGS: Readonly<Record<CloudType, (apiKey: string) => object>> = {
  lambda: byKey('lambda'),
  digitalocean: byKey('digitalocean'),
  amddevcloud: byKey('amddevcloud'),
  vultr: byKey('vultr'),
  crusoe: (apiKey) => {
    const [access_key, secret_key] = apiKey.split(':');
    const project_id = '6e28cad3-98e6-47a9-a9fc-1cd83a7f25c1';
    return { type: 'crusoe', project_id, creds: { type: 'access_key', access_key, secret_key } };
  },
  verda: (apiKey) => {
    const [client_id, client_secret] = apiKey.split(':');
    return { type: 'verda', creds: { type: 'api_key', client_id, client_secret } };
  },
  hotaisle: (apiKey) => ({ ...byKey('hotaisle')(apiKey), team_handle: 'ada' }),
  gcp: (data) => ({
    ...{ type: 'gcp', project_id: 'demo-project', regions: ['us-central1'] },
    creds: { type: 'service_account', filename: 'key.json', data },
  }),
};

/** Paths of the addresses of APIs, after the root of the account. */
const PATHS: Partial<Readonly<Record<CloudType, string>>> = {
  ...{ crusoe: '/v1alpha5', hotaisle: '/api', verda: '/v1', vultr: '/v2' },
};

/** The account is in the configuration of the server; the server host is not capacity. */
export async function newCloudAccount(
  type: CloudType,
  { yard }: CloudYard,
): Promise<CloudAccountAtWork> {
  const cloud = await startCloud({ personality: type, hosts: yard, faults: QUICK });
  const home = newInstallation({
    DSTACK_LOCAL_PROJECTS: 'none',
    [`DSTACK_BACKEND_${type.toUpperCase()}_ENDPOINT`]: `${cloud.url}${PATHS[type] ?? ''}`,
  });
  mkdirSync(home.serverDir, { recursive: true });
  const backend = JSON.stringify(CONFIGS[type](cloud.apiKey));
  const yaml = `projects:\n- name: main\n  backends:\n  - ${backend}\n`;
  writeFileSync(join(home.serverDir, 'config.yml'), yaml, { mode: 0o600 });
  return {
    home,
    cloud,
    [Symbol.asyncDispose]: async () => {
      await home.dispose();
      await cloud.close();
    },
  };
}
