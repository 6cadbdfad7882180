/** The contract of backends over a real Slurm cluster, with real agents in its jobs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackendError, NoAnswerError } from '@dstack/backends';
import { type LoginConnection, openSlurm, type SlurmClusterConfig } from '@dstack/backends/slurm';
import {
  type BackendWorld,
  describeBackend,
  newOrder,
  OUR_SERVER,
  REQUIREMENTS,
  withContainer,
} from '@dstack/backends/testing';
import { requirementsMatch } from '@dstack/core';
import { buildAgent } from '@dstack/testkit/built-agent';
import { slurmMissing, startSlurm, type TestCluster } from '@dstack/testkit/slurm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assets } from '../assets.ts';
import { Programs } from '../hosts/ssh/programs.ts';
import { ClusterLogins } from './logins.ts';
import { ClusterProgramCopies } from './program-copies.ts';

const missing = slurmMissing();
if (missing && process.env.CI) throw new Error(`Slurm cannot be tested: ${missing} is missing`);
if (missing) console.warn(`Slurm is NOT tested: ${missing} is missing`);

/** Until every job runs and its agent listens, or has ended. */
const SETTLED = `
for i in $(seq 400); do
  waiting=$(squeue -h -u "$(id -un)" -t PD,CF,CG -o %i | wc -l)
  running=$(squeue -h -u "$(id -un)" -t R -o %j)
  for name in $running; do
    ls "$HOME/.dstack/jobs/$name"/agent/tunnel.* >/dev/null 2>&1 || waiting=1
  done
  [ "$waiting" = 0 ] && exit 0
  sleep 0.1
done
exit 1
`;

describe.skipIf(missing !== null)('the port on a real Slurm cluster', () => {
  let cluster: TestCluster;
  let cacheDir: string;
  beforeAll(async () => {
    buildAgent();
    cacheDir = mkdtempSync(join(tmpdir(), 'programs-'));
    cluster = await startSlurm({ net: '10.218.0', prefix: 'st' });
  });
  afterAll(async () => {
    await cluster?.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  describeBackend('Slurm', async () => world(cluster, cacheDir), [
    ...(['volumes', 'groups', 'gateways'] as const),
    // Slurm itself reports a job that a person has cancelled.
    'deletion by others',
  ]);

  it('leaves no job and no folder of one in the cluster', async () => {
    expect(await cluster.login('squeue -h; ls ~/.dstack/jobs')).toBe('');
  });
});

function configOf({ hostname, user, privateKey }: TestCluster): SlurmClusterConfig {
  return {
    ...{ name: 'hpc', hostname, port: 22, user, gpu_partitions: null, cpu_partitions: ['cpu'] },
    private_key: { path: '', content: privateKey },
  };
}

function memoryMeta() {
  const values = new Map<string, string>();
  return {
    get: async (key: string) => values.get(key) ?? null,
    setOnce: async (key: string, value: string) => {
      if (!values.has(key)) values.set(key, value);
      return values.get(key) ?? value;
    },
  };
}

/** Counts the commands on the login node, and lets one of them fail. */
class Calls {
  #answered = Number.POSITIVE_INFINITY;
  #how: 'refused' | 'lost' = 'refused';

  fail(answered: number, how: 'refused' | 'lost'): void {
    this.#answered = answered;
    this.#how = how;
  }

  heal(): void {
    this.#answered = Number.POSITIVE_INFINITY;
  }

  wrap(connection: LoginConnection): LoginConnection {
    return {
      ...connection,
      run: async (script, timeoutMs) => {
        const isFailing = this.#answered-- === 0;
        if (isFailing && this.#how === 'refused') throw new BackendError('refused');
        const executed = await connection.run(script, timeoutMs);
        if (isFailing) throw new NoAnswerError('the connection broke');
        return executed;
      },
    };
  }
}

async function world(cluster: TestCluster, cacheDir: string): Promise<BackendWorld> {
  const logins = new ClusterLogins(memoryMeta());
  const programs = new Programs({ agentDir: assets.agentBundle, cacheDir });
  const copies = new ClusterProgramCopies(logins, programs);
  const calls = new Calls();
  const { backend, close } = openSlurm({
    ...{ serverId: OUR_SERVER, secret: 'secret', matches: requirementsMatch, now: Date.now },
    ...{ hostJobs: false, dialOut: null },
    clusters: [configOf(cluster)],
    connect: async (config) => calls.wrap(await logins.connect(config)),
    deliver: (config) => copies.deliver(config),
  });
  return {
    backend,
    ...{ calls, userVolume: null, vanish: null, requirements: REQUIREMENTS },
    order: async (server) => {
      const { offers } = await backend.offers(REQUIREMENTS.met);
      return withContainer(newOrder(offers[0] ?? null, server));
    },
    facts: async () => null,
    settle: async () => {
      await cluster.login(SETTLED);
    },
    machines: async () =>
      Number(await cluster.login('squeue -h -t PD,CF,R,CG -u "$(id -un)" -o %i | wc -l')),
    close: async () => {
      await cluster.login('scancel -u "$(id -un)"; rm -rf ~/.dstack/jobs/*');
      await cluster.login(SETTLED);
      close();
      logins.close();
    },
  };
}
