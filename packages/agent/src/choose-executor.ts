import { dirname } from 'node:path';
import type { VolumeSource } from '@dstack/contract/agent';
import type { Executor } from './executor/executor.ts';
import { removeClones } from './files/clone-place.ts';
import { placeInContainer } from './files/place-in-container.ts';
import { placeJobFiles } from './files/place-job-files.ts';
import type { EventLogger } from './host/log.ts';
import type { AgentOptions } from './options.ts';
import { JobUsers } from './process/isolation/job-users.ts';
import { thisContainer } from './process/job-container.ts';
import { ProcessExecutor } from './process/process-executor.ts';
import type { DeviceMounts } from './volumes/device-mounts.ts';
import { dataOf } from './volumes/volume-layout.ts';

export interface ChosenExecutor {
  readonly executor: Executor;
  readonly diskPath: string;
}

/** Docker if its daemon answers, else processes. An explicitly requested kind must work. */
export async function chooseExecutor(
  options: AgentOptions,
  env: NodeJS.ProcessEnv,
  log: EventLogger,
  devices: DeviceMounts,
): Promise<ChosenExecutor> {
  const { executor: kind, stateDir, socket, jobUsers, jobContainer } = options;
  const daemon = env.DOCKER_HOST?.replace(/^unix:\/\//, '') ?? '/var/run/docker.sock';
  const forbiddenMounts = [
    ...[stateDir, dirname(socket), '/run/dstack', daemon, '/var/run/docker.sock'],
    ...(jobUsers ? [dirname(jobUsers.homes)] : []),
  ];
  const volumes = {
    dataOf: (volume: VolumeSource) =>
      volume.device ? devices.mount(volume, volume.device) : dataOf(stateDir, volume),
  };
  // Loaded only here: in a pod, its modules would double the start of the agent.
  const docker =
    kind === 'process'
      ? null
      : await (await import('./docker/docker-client.ts')).connectDocker(env);
  if (kind === 'docker' && !docker) {
    throw new Error('no Docker daemon answers (DOCKER_HOST, /var/run/docker.sock)');
  }
  log.info('executor', { asked: kind, chosen: docker ? 'docker' : 'process' });
  if (!docker) {
    if (jobUsers && process.getuid?.() !== 0) throw new Error('--job-uids needs root');
    const users = jobUsers && new JobUsers(jobUsers);
    return {
      executor: new ProcessExecutor({
        placeFiles: placeJobFiles,
        users,
        forbiddenMounts,
        volumes,
        container: jobContainer ? thisContainer() : null,
      }),
      diskPath: stateDir,
    };
  }
  const { DockerExecutor } = await import('./docker/docker-executor.ts');
  const { DockerRootDir } = await docker.info();
  return {
    executor: new DockerExecutor({
      docker,
      stateDir,
      forbiddenMounts,
      volumes,
      imagesDir: DockerRootDir,
      placeFiles: placeInContainer,
      removeFiles: (isOver) => removeClones(stateDir, isOver),
      log,
    }),
    diskPath: DockerRootDir,
  };
}
