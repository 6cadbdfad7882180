import { join, resolve } from 'node:path';
import { Installation } from '@dstack/testkit';

export const root = resolve(import.meta.dirname, '..');
export const dstack = join(root, 'bin', 'dstack');

/** Uses the process executor by default: it needs nothing installed. */
export function installation(env: NodeJS.ProcessEnv = {}): Installation {
  return new Installation({
    dstack,
    env: {
      DSTACK_LOCAL_EXECUTOR: 'process',
      DSTACK_SERVER_LOG_LEVEL: 'error',
      // One user submits the whole load.
      DSTACK_SERVER_MAX_WAITING_RUNS_PER_USER: '0',
      ...env,
    },
  });
}
