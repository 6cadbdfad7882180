import Docker from 'dockerode';

/** The newest Engine API that this code was written for. */
const NEWEST_API = 1.43;
const DEFAULT_SOCKET = '/var/run/docker.sock';

/** The daemon at `DOCKER_HOST` (unix or tcp) or its usual socket; null when none answers. */
export async function connectDocker(env: NodeJS.ProcessEnv): Promise<Docker | null> {
  const where = address(env.DOCKER_HOST);
  try {
    const { ApiVersion } = await new Docker(where).version();
    return new Docker({ ...where, version: `v${Math.min(NEWEST_API, Number(ApiVersion))}` });
  } catch {
    // No daemon, or no permission to use it. The caller chooses another executor.
    return null;
  }
}

function address(host: string | undefined): Docker.DockerOptions {
  if (!host) return { socketPath: DEFAULT_SOCKET };
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) };
  const url = new URL(host);
  return { host: url.hostname, port: Number(url.port) || 2375, protocol: 'http' };
}
