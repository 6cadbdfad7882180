import { BaseDigitalOceanBackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendKind } from '../base/kind.ts';
import type { CallRule } from '../base/rest-vm/call-limiter.ts';
import { vmKind } from '../base/rest-vm/vm-kind.ts';

/** The limits that DigitalOcean publishes. */
const RULES: readonly CallRule[] = [
  { calls: 250, seconds: 60 },
  { calls: 5000, seconds: 3600 },
];

function kindOf(
  type: 'digitalocean' | 'amddevcloud',
  title: string,
  endpoint: string,
): BackendKind {
  return vmKind({
    ...{ type, title, endpoint, rules: RULES },
    parse: (config) => BaseDigitalOceanBackendConfigWithCreds.parse(config),
    credentials: ({ creds }) => [creds.api_key],
    regions: ({ regions }) => regions,
    adapter: async ({ config, endpoint: at, limiter }) => {
      const [{ DigitalOcean }, { DigitalOceanApi }] = await Promise.all([
        import('./digitalocean.ts'),
        import('./api.ts'),
      ]);
      const { creds, regions, project_name: projectName } = config;
      const api = new DigitalOceanApi({ title, endpoint: at, limiter, apiKey: creds.api_key });
      return new DigitalOcean({ type, title, api, regions, projectName });
    },
  });
}

export const digitalOceanKind = kindOf(
  'digitalocean',
  'DigitalOcean',
  'https://api.digitalocean.com',
);

export const amdDevCloudKind = kindOf(
  'amddevcloud',
  'AMD Developer Cloud',
  'https://api.devcloud.amd.com',
);
