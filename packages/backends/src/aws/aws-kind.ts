import type { ProcessEnv } from '@dstack/contract';
import { AWSBackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendHost, BackendKind, BackendOpener } from '../base/kind.ts';
import { AccountLimiters, accountId } from '../base/rest-vm/accounts.ts';
import { REAL_PACE } from '../base/rest-vm/pace.ts';
import { SharedParts } from '../base/rest-vm/shared-parts.ts';
import { endpointOf } from '../base/rest-vm/vm-kind.ts';
import { catalogItems } from '../catalog/catalog.ts';
import type { AwsAccount } from './aws-account.ts';
import type { AwsCredentials } from './aws-client.ts';
import { type AwsConfig, configProblem, settingsOf } from './config.ts';
import { CREDENTIAL_VARIABLES } from './credential-variables.ts';
import type { AwsEndpoints } from './endpoints.ts';
import { AWS_RULES } from './limits.ts';

const OWN_VARIABLE = 'DSTACK_BACKEND_AWS_ENDPOINT';
/** That of AWS's own tools. */
const USUAL_VARIABLE = 'AWS_ENDPOINT_URL';
const DEFAULT_REGION = 'us-east-1';
const NOT_OPERATORS =
  'creds.type: default is the identity of the server: only config.yml and global admins may use it';

export const awsKind: BackendKind = {
  type: 'aws',
  variables: [OWN_VARIABLE, USUAL_VARIABLE, ...CREDENTIAL_VARIABLES],
  problem: (config) => (config.type === 'aws' ? configProblem(config) : null),
  configure: (env) => {
    const endpoint = endpointOf(env, OWN_VARIABLE) ?? endpointOf(env, USUAL_VARIABLE);
    return { type: 'aws', load: async (host) => await openerOf(endpoint, env, host) };
  },
};

/** `endpoint`: one address for all services; null = those of AWS. */
async function openerOf(
  endpoint: string | null,
  env: ProcessEnv,
  {
    facts,
    sharedFacts = null,
    catalog,
    catalogNote = () => null,
    leaseSeconds = null,
  }: BackendHost,
): Promise<BackendOpener> {
  const [{ awsBackend }, { AwsAccount }, { AwsClient }, { awsEndpoints }] = await Promise.all([
    import('./aws.ts'),
    import('./aws-account.ts'),
    import('./aws-client.ts'),
    import('./endpoints.ts'),
  ]);
  const pace = REAL_PACE;
  const limiters = new AccountLimiters({
    title: 'AWS',
    rules: AWS_RULES,
    pace,
    facts: sharedFacts,
  });
  const accounts = new SharedParts<{ readonly account: AwsAccount; readonly close: () => void }>(
    ({ close }) => close(),
  );
  const listed = () => catalogItems(catalog, 'aws');
  const endpoints = awsEndpoints(endpoint);
  return {
    open: async (given, secret, { isOperators }) => {
      const config = AWSBackendConfigWithCreds.parse(given);
      if (config.creds.type === 'default' && !isOperators) throw new Error(NOT_OPERATORS);
      const credentials = await credentialsOf(config, endpoints, env);
      // The server has one identity.
      const keys =
        config.creds.type === 'default'
          ? ['default']
          : [config.creds.access_key, config.creds.secret_key];
      // Who knows the name of a key alone may use neither what its owner asks for, nor its calls.
      const id = accountId(endpoint ?? '', ...keys);
      const make = () => {
        const turns = turnsOf(limiters, id);
        const client = new AwsClient({
          ...{ credentials, endpoints, now: Date.now },
          limiter: (region) => turns.of(region),
        });
        const account = new AwsAccount({
          showsCatalog: true,
          id,
          client,
          listed,
          facts,
          pace,
          now: Date.now,
        });
        return { account, close: turns.leave };
      };
      const { part, leave } = accounts.join(id, make);
      return {
        backend: awsBackend({
          account: part.account,
          ...{ settings: settingsOf(config), catalogNote, secret, pace, leaseSeconds },
        }),
        close: leave,
      };
    },
  };
}

/** Turns of the regions that an account has called, until it is closed. */
function turnsOf(limiters: AccountLimiters, account: string) {
  const joined = new Map<string, ReturnType<AccountLimiters['join']>>();
  return {
    of: (region: string) => {
      const known = joined.get(region) ?? limiters.join(accountId(account, region));
      joined.set(region, known);
      return known.limiter;
    },
    leave: () => {
      for (const { leave } of joined.values()) leave();
      joined.clear();
    },
  };
}

async function credentialsOf(
  { creds, regions }: AwsConfig,
  endpoints: AwsEndpoints,
  env: ProcessEnv,
): Promise<() => Promise<AwsCredentials>> {
  if (creds.type === 'access_key') {
    const { access_key: accessKey, secret_key: secretKey } = creds;
    return async () => ({ accessKey, secretKey, sessionToken: null });
  }
  const { defaultCredentials } = await import('./default-credentials.ts');
  const { url: sts } = endpoints.of('sts', regions?.[0] ?? DEFAULT_REGION);
  return defaultCredentials({ env, sts, now: Date.now });
}
