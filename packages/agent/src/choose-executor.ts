import { dirname } from 'node:path';
import { connectDocker } from './docker/docker-client.ts';
import { DockerExecutor } from './docker/docker-executor.ts';
import type { Executor } from './jobs/executor.ts';
import type { Logger } from './log.ts';
import type { AgentOptions } from './options.ts';
import { ProcessExecutor } from './process/process-executor.ts';

export interface ChosenExecutor {
  readonly executor: Executor;
  readonly diskPath: string;
}

/** Docker where its daemon answers, processes otherwise; a kind that was named must work. */
export async function chooseExecutor(
  options: AgentOptions,
  env: NodeJS.ProcessEnv,
  log: Logger,
): Promise<ChosenExecutor> {
  const { executor: kind, stateDir, socket } = options;
  const docker = kind === 'process' ? null : await connectDocker(env);
  if (kind === 'docker' && !docker) {
    throw new Error('no Docker daemon answers (DOCKER_HOST, /var/run/docker.sock)');
  }
  log.info('executor', { asked: kind, chosen: docker ? 'docker' : 'process' });
  if (!docker) return { executor: new ProcessExecutor(), diskPath: stateDir };
  const { DockerRootDir } = await docker.info();
  const daemon = env.DOCKER_HOST?.replace(/^unix:\/\//, '') ?? '/var/run/docker.sock';
  const forbiddenMounts = [
    stateDir,
    dirname(socket),
    '/run/dstack',
    daemon,
    '/var/run/docker.sock',
  ];
  return {
    executor: new DockerExecutor({
      docker,
      stateDir,
      forbiddenMounts,
      imagesDir: DockerRootDir,
      log,
    }),
    diskPath: DockerRootDir,
  };
}
