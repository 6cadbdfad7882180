/** The Docker executor with its least options, for tests about the daemon rather than about jobs. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { DockerExecutor } from '../docker/docker-executor.ts';
import type { ExecutorJob } from '../executor/executor.ts';
import { JobFolder } from '../executor/job-folder.ts';
import { createEventLogger } from '../host/log.ts';
import { jobSpec } from './agent-harness.ts';

/** `ms`: how long it waits for an answer of the daemon. */
export function executorAt(docker: Docker, dir: string, ms = 3000): DockerExecutor {
  return new DockerExecutor({
    ...{ docker, stateDir: dir, imagesDir: dir, forbiddenMounts: [] },
    volumes: { find: async () => null } as never,
    placeFiles: async () => {},
    removeFiles: async () => {},
    log: createEventLogger(() => {}),
    patience: { ms, slowMs: ms / 6 },
  });
}

export function sleepingJob(dir: string): ExecutorJob {
  const spec = jobSpec([], { shell_commands: null, commands: ['/bin/sleep', '1000'] });
  const folder = new JobFolder(join(dir, 'jobs'), spec.id, dir);
  mkdirSync(folder.spool, { recursive: true });
  return { spec, cluster: null, gpus: [], folder };
}
