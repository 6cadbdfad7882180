/** The contract of backends over a real Slurm cluster, with real agents in its jobs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackendError, NoAnswerError } from '@dstack/backends';
import {
  ClusterLogins,
  ClusterProgramCopies,
  type LoginConnection,
  openSlurm,
  type SlurmClusterConfig,
} from '@dstack/backends/slurm';
import {
  type BackendWorld,
  describeBackend,
  newOrder,
  OTHER_SERVER,
  OUR_SERVER,
  REQUIREMENTS,
  withContainer,
} from '@dstack/backends/testing';
import { CLAIM_WATCH, CONFIRM_AFTER, requirementsMatch, SECOND } from '@dstack/core';
import { buildAgent } from '@dstack/testkit/built-agent';
import { slurmMissing, startSlurm, type TestCluster } from '@dstack/testkit/slurm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Programs } from '../hosts/ssh/programs.ts';
import { startTestServer } from '../http/testing/test-server.ts';
import { assets } from '../process/assets.ts';
import { orphanSweeper } from '../sweep/testing/orphan-sweeper.ts';
import { sshOpener } from './backend-host.ts';

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

  it('is swept of jobs without a record, and keeps those of others', async () => {
    const { backend, order, settle, close } = await world(cluster, cacheDir);
    const server = await startTestServer();
    onTestFinished(async () => {
      await server.close();
      await close();
    });
    const [orphan, other] = [await order(OUR_SERVER), await order(OTHER_SERVER)];
    for (const one of [orphan, other]) await backend.instances?.create(one);
    await settle();
    const theirs = ['dstack-main-theirs-0123456789ab', 'train'];
    for (const name of theirs) {
      await cluster.login(
        `sbatch -p low --mem=1M -J ${name} --comment="dstack:e30" -o /dev/null --wrap "sleep 3600"`,
      );
    }
    const clock = { now: Date.now() * 1000 };
    const sweeper = await orphanSweeper(server, { backend, type: 'slurm', clock });
    onTestFinished(() => sweeper.close());
    const names = async () => (await cluster.login('squeue -h -o %j')).trim().split('\n').sort();
    expect(await names()).toHaveLength(4);
    for (const time of [0, CONFIRM_AFTER, CLAIM_WATCH]) {
      expect(await names()).toHaveLength(4);
      clock.now += time;
      await sweeper.sweep();
    }
    await vi.waitFor(async () => {
      // Hourly sweeps do the same: a job that was still ending leaves its folder.
      clock.now += CLAIM_WATCH;
      await sweeper.sweep();
      expect(await names()).toHaveLength(3);
    }, 20_000);
    expect(await names()).toEqual(expect.arrayContaining(theirs));
    const left = await backend.instances?.list({ server: OTHER_SERVER });
    expect(left).toMatchObject([{ key: other.key }]);
  });

  it('keeps one claim of each installation, with the time of the cluster', async () => {
    const { backend, close } = await world(cluster, cacheDir);
    onTestFinished(close);
    const owner = { server: 'claimed' };
    const { claims } = backend;
    const before = Date.now() * 1000 - 2 * SECOND;
    await claims?.renew(owner, { claimant: 'a', nonce: '1' });
    await claims?.renew(owner, { claimant: 'b', nonce: '2' });
    await claims?.renew(owner, { claimant: 'a', nonce: '3' });
    const found = (await claims?.read(owner)) ?? [];
    expect(found.map(({ claimant, nonce }) => claimant + nonce).sort()).toEqual(['a3', 'b2']);
    for (const { renewedAt } of found) expect(renewedAt).toBeGreaterThan(before);
    expect(await claims?.read({ server: 'another' })).toEqual([]);
  });

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
  const logins = new ClusterLogins({
    facts: memoryMeta(),
    ssh: sshOpener({ mayDial: () => true }),
  });
  const programs = new Programs({ agentDir: assets.agentBundle, cacheDir });
  const copies = new ClusterProgramCopies(logins, programs);
  const calls = new Calls();
  const { backend, close } = openSlurm({
    ...{ serverId: OUR_SERVER, secret: 'secret', matches: requirementsMatch, now: Date.now },
    ...{ hostJobs: false, dialOut: null },
    clusters: [configOf(cluster)],
    connect: async (config) => calls.wrap(await logins.connect(config)),
    deliver: (config, delivery) => copies.deliver(config, delivery),
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
