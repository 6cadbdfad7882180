import type { ProcessEnv } from '@dstack/contract';
import { GCPBackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendHost, BackendKind, BackendOpener } from '../base/kind.ts';
import { AccountLimiters, accountId } from '../base/rest-vm/accounts.ts';
import { REAL_PACE } from '../base/rest-vm/pace.ts';
import { SharedParts } from '../base/rest-vm/shared-parts.ts';
import { endpointOf, endpointVariable } from '../base/rest-vm/vm-kind.ts';
import { catalogItems } from '../catalog/catalog.ts';
import { configProblem, type GcpConfig, settingsOf } from './config.ts';
import type { GcpEndpoints } from './endpoints.ts';
import type { GcpAccount } from './gcp-account.ts';
import { GCP_RULES } from './limits.ts';

const TITLE = 'GCP';
const VARIABLE = endpointVariable('gcp');
/** That of Google's own tools. */
const KEY_FILE_VARIABLE = 'GOOGLE_APPLICATION_CREDENTIALS';
const NOT_OPERATORS =
  'creds.type: default is the identity of the server: only config.yml and global admins may use it';

export const gcpKind: BackendKind = {
  type: 'gcp',
  variables: [VARIABLE, KEY_FILE_VARIABLE],
  problem: (config) => (config.type === 'gcp' ? configProblem(config) : null),
  configure: (env) => {
    const endpoint = endpointOf(env, VARIABLE);
    return { type: 'gcp', load: async (host) => await openerOf(endpoint, env, host) };
  },
};

/** `endpoint`: one address for all services; null = those of Google. */
async function openerOf(
  endpoint: string | null,
  env: ProcessEnv,
  host: BackendHost,
): Promise<BackendOpener> {
  const { sharedFacts = null, catalogNote = () => null, leaseSeconds = null } = host;
  const [{ gcpBackend }, { gcpEndpoints }] = await Promise.all([
    import('./gcp.ts'),
    import('./endpoints.ts'),
  ]);
  const endpoints = gcpEndpoints(endpoint);
  const pace = REAL_PACE;
  const limiters = new AccountLimiters({
    title: TITLE,
    rules: GCP_RULES,
    pace,
    facts: sharedFacts,
  });
  const accounts = new SharedParts<{ readonly account: GcpAccount; readonly close: () => void }>(
    ({ close }) => close(),
  );
  const madeAccount = await accountMaker(endpoints, env, host);
  return {
    open: async (given, secret, { isOperators }) => {
      const config = GCPBackendConfigWithCreds.parse(given);
      if (config.creds.type === 'default' && !isOperators) throw new Error(NOT_OPERATORS);
      // The server has one identity.
      const key = config.creds.type === 'default' ? 'default' : config.creds.data;
      const id = accountId(endpoint ?? '', config.project_id, key);
      const { part, leave } = accounts.join(id, () => {
        const { limiter, leave: close } = limiters.join(id);
        return { account: madeAccount(config, id, limiter), close };
      });
      return {
        backend: gcpBackend({
          account: part.account,
          ...{ settings: settingsOf(config), catalogNote, secret, pace, leaseSeconds },
        }),
        close: leave,
      };
    },
  };
}

type Limiter = ReturnType<AccountLimiters['of']>;

async function accountMaker(endpoints: GcpEndpoints, env: ProcessEnv, host: BackendHost) {
  const [{ GcpAccount: Account }, { GcpClient }, { Compute }, { AccessTokens }, sources] =
    await Promise.all([
      import('./gcp-account.ts'),
      import('./gcp-client.ts'),
      import('./compute.ts'),
      import('../base/rest-vm/access-tokens.ts'),
      import('./token-sources.ts'),
    ]);
  const { facts, catalog } = host;
  const pace = REAL_PACE;
  const listed = () => catalogItems(catalog, 'gcp');
  return ({ creds, project_id: project }: GcpConfig, id: string, limiter: Limiter): GcpAccount => {
    const options = { endpoints, env, now: Date.now };
    const source =
      creds.type === 'default'
        ? sources.defaultTokens(options)
        : sources.serviceAccountTokens(creds.data, options);
    const tokens = new AccessTokens(source, () => pace.now());
    const client = new GcpClient({ tokens, endpoints, limiter });
    const compute = new Compute(client, project);
    return new Account({ id, compute, listed, facts, showsCatalog: true, pace, now: Date.now });
  };
}
