import { isSet, type ProcessEnv, SettingsError, withoutTrailingSlashes } from '@dstack/contract';

export interface SlurmServerSettings {
  /** Whether runs may do without a container (`DSTACK_SLURM_HOST_JOBS`). */
  readonly hostJobs: boolean;
  /**
   * Where agents connect to the server (`DSTACK_SLURM_DIAL_OUT`), without a slash at its end; null = the
   * server connects to them.
   */
  readonly dialOutUrl: string | null;
}

const DIAL_OUT = 'DSTACK_SLURM_DIAL_OUT';
const HOST_JOBS = 'DSTACK_SLURM_HOST_JOBS';

export const SLURM_VARIABLES = [DIAL_OUT, HOST_JOBS] as const;

/** `url`: of the server, as others reach it. */
export function slurmSettings(env: ProcessEnv, url: string | null): SlurmServerSettings {
  const hostJobs = isSet(env, HOST_JOBS);
  if (!isSet(env, DIAL_OUT)) return { hostJobs, dialOutUrl: null };
  const { protocol, host, pathname } = URL.parse(url ?? '') ?? {};
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new SettingsError(
      `${DIAL_OUT} is set without DSTACK_SERVER_URL; set it to a URL of this server that compute nodes reach (https://…)`,
    );
  }
  const dialOutUrl = `${protocol.replace('http', 'ws')}//${host}${withoutTrailingSlashes(pathname ?? '')}`;
  return { hostJobs, dialOutUrl };
}
