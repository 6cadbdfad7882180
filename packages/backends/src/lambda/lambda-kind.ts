import { LambdaBackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendKind } from '../base/kind.ts';
import { vmKind } from '../base/rest-vm/vm-kind.ts';
import { LAMBDA_ENDPOINT, LAMBDA_RULES } from './limits.ts';

export const lambdaKind: BackendKind = vmKind({
  ...{ type: 'lambda', title: 'Lambda', endpoint: LAMBDA_ENDPOINT, rules: LAMBDA_RULES },
  parse: (config) => LambdaBackendConfigWithCreds.parse(config),
  credentials: ({ creds }) => [creds.api_key],
  regions: ({ regions }) => regions,
  adapter: async ({ config, endpoint, limiter, listed }) => {
    const [{ Lambda }, { LambdaApi }] = await Promise.all([
      import('./lambda.ts'),
      import('./api.ts'),
    ]);
    const api = new LambdaApi({ endpoint, limiter, apiKey: config.creds.api_key });
    const known = (type: string) =>
      listed()
        .filter(({ instanceName }) => instanceName === type)
        .map(({ location }) => location);
    return new Lambda({ api, regions: config.regions, known });
  },
});
