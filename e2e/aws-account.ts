/** An account of AWS by moto, with hosts of the yard as its machines. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { type Aws, motoEnvironment, startAws } from '@dstack/testkit/cloud';
import { type CloudYard, QUICK } from './cloud-account.ts';
import { newInstallation } from './installation.ts';

export const AWS_REGION = 'us-east-1';

export interface AwsAccountAtWork extends AsyncDisposable {
  readonly home: Installation;
  readonly aws: Aws;
}

/** Null: moto cannot be installed here. */
export function motoForClouds(): string | null {
  const { path, missing } = motoEnvironment();
  if (missing !== null) console.warn(`Machines of AWS are NOT tested: ${missing}`);
  return path;
}

/** The account is in the configuration of the server; the server host is not capacity. */
export async function newAwsAccount(
  moto: string,
  { yard }: CloudYard,
  more: readonly string[] = [],
  settings: Readonly<Record<string, string>> = {},
): Promise<AwsAccountAtWork> {
  const aws = await startAws(moto, { hosts: yard, faults: QUICK, regions: [AWS_REGION] });
  const home = newInstallation({
    DSTACK_LOCAL_PROJECTS: 'none',
    DSTACK_BACKEND_AWS_ENDPOINT: aws.url,
    ...settings,
  });
  mkdirSync(home.serverDir, { recursive: true });
  const creds = 'creds: {type: access_key, access_key: key, secret_key: secret}';
  const backend = ['type: aws', creds, `regions: [${AWS_REGION}]`, ...more].join(', ');
  const yaml = `projects:\n- name: main\n  backends:\n  - {${backend}}\n`;
  writeFileSync(join(home.serverDir, 'config.yml'), yaml, { mode: 0o600 });
  return {
    home,
    aws,
    [Symbol.asyncDispose]: async () => {
      await home.dispose();
      await aws.close();
    },
  };
}
