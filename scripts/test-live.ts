/**
 * Tries an account at a provider: the checks and offers of the adapter, and the life of one machine, the
 * cheapest. Without `--yes` it explains itself and orders nothing. See `scripts/test-live`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type BackendHost, backendKind, loadCatalog } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import { newEd25519Pair } from '@dstack/ssh/ed25519-pair';
import { tryAccount } from '../packages/backends/src/base/testing/live-account.ts';

const BOOT_MS = 30 * 60_000;
const TYPES = [
  'lambda',
  'digitalocean',
  'amddevcloud',
  'aws',
  'crusoe',
  'gcp',
  'hotaisle',
  'runpod',
  'vastai',
  'verda',
  'datacrunch',
  'vultr',
] as const;
/** Containers would reach a server there. This try has none: their launcher waits for it until they are ended. */
const SERVER_URL = 'https://dstack.invalid.example';
const CATALOG = new URL('../packages/backends/data/catalog.csv', import.meta.url);

const type = TYPES.find((one) => one === process.argv[2]);
const apiKey = process.env.TEST_LIVE_API_KEY;
const isMeant = process.argv.includes('--yes');

/** Variables of AWS's and Google's own tools have the keys. */
const {
  AWS_ACCESS_KEY_ID,
  CRUSOE_ACCESS_KEY,
  CRUSOE_PROJECT_ID,
  CRUSOE_SECRET_KEY,
  GOOGLE_APPLICATION_CREDENTIALS,
  TEST_LIVE_PROJECT: project,
  TEST_LIVE_TEAM: team,
  VERDA_CLIENT_ID,
  VERDA_CLIENT_SECRET,
} = process.env;
function hasKeyOf(of: (typeof TYPES)[number] | undefined): boolean {
  switch (of) {
    case 'aws':
      return Boolean(AWS_ACCESS_KEY_ID);
    case 'gcp':
      return Boolean(GOOGLE_APPLICATION_CREDENTIALS && project);
    case 'crusoe':
      return Boolean(CRUSOE_ACCESS_KEY && CRUSOE_SECRET_KEY && CRUSOE_PROJECT_ID);
    case 'verda':
    case 'datacrunch':
      return Boolean(VERDA_CLIENT_ID && VERDA_CLIENT_SECRET);
    case 'hotaisle':
      return Boolean(apiKey && team);
    default:
      return Boolean(apiKey);
  }
}
const hasKey = hasKeyOf(type);

if (!type || !hasKey || !isMeant) {
  console.error(
    `Usage: TEST_LIVE_API_KEY=… scripts/test-live ${TYPES.join('|')} --yes\nFor aws: AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… instead, for gcp: GOOGLE_APPLICATION_CREDENTIALS=key.json TEST_LIVE_PROJECT=…, for crusoe: CRUSOE_ACCESS_KEY=… CRUSOE_SECRET_KEY=… CRUSOE_PROJECT_ID=…, for verda and datacrunch: VERDA_CLIENT_ID=… VERDA_CLIENT_SECRET=…, for hotaisle: TEST_LIVE_TEAM=… too, and TEST_LIVE_REGIONS=eu-west-1 for some regions only.\nIt orders the cheapest machine of the account, which costs money, and ends it.`,
  );
  process.exit(2);
}

const facts = new Map<string, string>();
const host = {
  catalog: loadCatalog(CATALOG),
  dialIns: { take: async () => null, watch: () => () => {} },
  downloads: { agent: async () => ({ path: '/agent', sha256: '0'.repeat(64) }) },
  facts: {
    get: async (key: string) => facts.get(key) ?? null,
    set: async (key: string, value: string) => void facts.set(key, value),
  },
} as unknown as BackendHost;
const opener = await backendKind(type)?.configure(process.env, { url: SERVER_URL }).load(host);
const regions = process.env.TEST_LIVE_REGIONS?.split(',') ?? null;
function configurationOf(): object {
  if (type === 'aws' || type === 'gcp') {
    const config = { type, regions, creds: { type: 'default' } };
    return type === 'gcp' ? { ...config, project_id: project } : config;
  }
  if (type === 'crusoe') {
    const creds = { access_key: CRUSOE_ACCESS_KEY, secret_key: CRUSOE_SECRET_KEY };
    return { type, regions, project_id: CRUSOE_PROJECT_ID, creds };
  }
  if (type === 'verda' || type === 'datacrunch') {
    const creds = { client_id: VERDA_CLIENT_ID, client_secret: VERDA_CLIENT_SECRET };
    return { type, regions, creds };
  }
  const config = { type, regions, creds: { type: 'api_key', api_key: apiKey } };
  return type === 'hotaisle' ? { ...config, team_handle: team } : config;
}
const opened = await opener?.open(configurationOf(), 'live', { isOperators: true });
if (!opened) throw new Error(`there is no adapter for ${type}`);
// The waits of adapters keep no process alive.
const alive = setInterval(() => {}, BOOT_MS);
let stop = new AbortController();
process.once('SIGINT', () => {
  console.log('The machine is being ended. Another Ctrl-C leaves it to the account');
  stop.abort(new Error('interrupted'));
});
/** Ctrl-C ends one wait: the machine is ended after it, with waits of its own. */
async function interruptible(ms: number): Promise<void> {
  const { signal } = stop;
  try {
    await delay(ms, undefined, { signal });
  } finally {
    if (signal.aborted) stop = new AbortController();
  }
}
const { publicKey } = newEd25519Pair('dstack-test-live');
try {
  const left = await tryAccount({
    ...{ backend: opened.backend, publicKey, bootMs: BOOT_MS },
    print: (line) => console.log(line),
    delay: interruptible,
  });
  for (const id of left) console.log(`LEFT  ${id}: end it at the provider`);
  process.exitCode = left.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`FAILED  ${errorMessage(error)}`);
  process.exitCode = 1;
} finally {
  clearInterval(alive);
  opened.close();
}
