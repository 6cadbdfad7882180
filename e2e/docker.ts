import type { Installation } from '@dstack/testkit';
import { startDocker, type TestDocker } from '@dstack/testkit/docker';
import { applyFleet, newInstallation } from './installation.ts';

export const IMAGE = 'busybox:test';

/** An installation whose jobs are containers of this daemon. */
export function dockerInstallation(engine: TestDocker, env: NodeJS.ProcessEnv = {}): Installation {
  return newInstallation({
    DSTACK_LOCAL_EXECUTOR: 'docker',
    DOCKER_HOST: engine.host,
    ...env,
  });
}

export interface DockerHome {
  /** It has the image. */
  readonly engine: TestDocker;
  /** Its server runs, with a fleet of the server's machine. */
  readonly home: Installation;
  dispose(): Promise<void>;
}

/** Starts a daemon and an installation that uses it; `nodes` are those of its fleet. */
export async function startDockerHome(nodes = '0..2'): Promise<DockerHome> {
  const engine = await startDocker();
  const home = dockerInstallation(engine);
  const dispose = async () => {
    await home.dispose();
    await engine.close();
  };
  try {
    await engine.busybox(IMAGE);
    await home.startServer();
    await applyFleet(home, nodes);
    return { engine, home, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
