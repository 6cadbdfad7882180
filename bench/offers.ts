/**
 * `offers[:restarts]`: the first plan of a server with accounts at three clouds: when nothing is known, and after a
 * restart while the providers take as long as their slowest answers to the reference take. Loopback only.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type Cloud, startCloud } from '@dstack/testkit/cloud';
import { installation } from './installation.ts';
import { print, summary } from './measure.ts';

const CLOUDS = ['lambda', 'digitalocean', 'amddevcloud'] as const;
const SLOW_SECONDS = 20;
const task = { type: 'task', name: 'planned', commands: ['true'], resources: { gpu: '1..' } };
const PLAN = {
  run_spec: { run_name: 'planned', configuration: task },
  ...{ max_offers: 50, for_offers_only: true },
};

interface Plan {
  readonly job_plans: readonly { readonly total_offers: number }[];
}

export async function offers(restarts = '10'): Promise<void> {
  const clouds = await Promise.all(CLOUDS.map((personality) => startCloud({ personality })));
  const home = installation({
    DSTACK_LOCAL_PROJECTS: 'none',
    ...Object.fromEntries(
      clouds.map(({ url }, at) => [`DSTACK_BACKEND_${CLOUDS[at]?.toUpperCase()}_ENDPOINT`, url]),
    ),
  });
  const plan = async () => {
    const start = performance.now();
    const { job_plans } = await home.api<Plan>('/api/project/main/runs/get_plan', PLAN);
    const ms = performance.now() - start;
    if ((job_plans[0]?.total_offers ?? 0) < CLOUDS.length) throw new Error('offers are missing');
    return ms;
  };
  try {
    mkdirSync(home.serverDir, { recursive: true });
    writeFileSync(`${home.serverDir}/config.yml`, configurationOf(clouds), { mode: 0o600 });
    await home.startServer();
    print({ name: 'offers: first plan, nothing known', unit: 'ms', ...summary([await plan()]) });
    for (const { faults } of clouds) faults.set({ slow_seconds: SLOW_SECONDS });
    const known: number[] = [];
    const next: number[] = [];
    for (let i = 0; i < Number(restarts); i++) {
      await home.stopServer();
      await home.startServer();
      known.push(await plan());
      next.push(await plan());
    }
    const name = `offers: first plan after a restart, providers answer after ${SLOW_SECONDS} s`;
    print({ name, unit: 'ms', ...summary(known) });
    print({ name: 'offers: the plan after it', unit: 'ms', ...summary(next) });
  } finally {
    await home.dispose();
    for (const cloud of clouds) await cloud.close();
  }
}

function configurationOf(clouds: readonly Cloud[]): string {
  const backends = clouds.map(
    ({ apiKey }, at) => `  - {type: ${CLOUDS[at]}, creds: {type: api_key, api_key: ${apiKey}}}`,
  );
  return `projects:\n- name: main\n  backends:\n${backends.join('\n')}\n`;
}
