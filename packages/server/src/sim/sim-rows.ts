/**
 * A simulated backend as a row of its project: the row has the type that it simulates, with a
 * configuration that clients can read. The knobs of the simulation are stored beside it, for this
 * server only.
 */
import type { ConfiguredBackend, SimBackendConfig, SimType } from '@dstack/contract';
import { BackendConfigWithCreds } from '@dstack/contract/wire';
import type { BackendRecord, BackendWithCredentials } from '@dstack/store';
import { splitSecrets } from '../backend-config/secrets.ts';

/** The required keys of each type. */
const SHOWN: Readonly<Record<SimType, object>> = {
  aws: { creds: { type: 'default' } },
  azure: { tenant_id: 'sim', subscription_id: 'sim', creds: { type: 'default' } },
  gcp: { project_id: 'sim', creds: { type: 'default' } },
  kubernetes: { kubeconfig: { filename: '', data: '' } },
  lambda: { creds: { type: 'api_key', api_key: 'sim' } },
  runpod: { creds: { type: 'api_key', api_key: 'sim' } },
  slurm: { clusters: [] },
  vastai: { creds: { type: 'api_key', api_key: 'sim' } },
};

type Parts = Pick<BackendWithCredentials, 'config' | 'sourceConfig' | 'auth' | 'sourceAuth'>;

export function simRow(sim: SimBackendConfig): Parts {
  const shown = BackendConfigWithCreds.parse({ type: sim.as, ...SHOWN[sim.as] });
  const { config, auth } = splitSecrets(shown);
  return { config: { ...config, sim }, sourceConfig: config, auth, sourceAuth: auth };
}

/** True: the entry of `config.yml` simulates a backend. */
export function isSimEntry(entry: ConfiguredBackend): entry is SimBackendConfig {
  return entry.type === 'sim';
}

/** Null: the row is not a simulated backend. */
export function simConfigOf({ config }: Pick<BackendRecord, 'config'>): SimBackendConfig | null {
  return (config.sim as SimBackendConfig | undefined) ?? null;
}
