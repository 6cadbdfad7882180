import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import {
  applyFleet,
  configuration,
  isFinished,
  isRunning,
  submit,
  untilRun,
} from '../installation.ts';
import { applyVolume } from '../volumes.ts';

/** Markup, if anything takes it for that. */
export const HOSTILE = '<img src=x onerror=alert(1)>';

/** A fleet, a run that goes on, `steps`, and one that has failed, `broken`. */
export async function seedRuns(home: Installation): Promise<void> {
  await applyFleet(home, '0..4');
  await submit(home, 'steps', [
    'for i in 1 2 3; do echo "step $i"; done',
    `echo '${HOSTILE}'`,
    "printf '\\033[31mred\\033[0m\\n'",
    'sleep 3600',
  ]);
  await submit(home, 'broken', ['echo trying', 'exit 3']);
  await untilRun(home, 'steps', isRunning);
  await untilRun(home, 'broken', isFinished);
}

/** The home of a team that works: runs of all kinds and endings, a fleet, a service, a volume, members. */
export async function seedTeam(home: Installation): Promise<void> {
  await applyFleet(home, '0..8');
  await submit(home, 'train-llama-3-8b-lora', [TRAINING]);
  await submit(home, 'evaluate', ['echo "loading the checkpoint"', 'exit 3']);
  await submit(home, 'preprocess-common-crawl-2026-08', ['echo done']);
  await submit(home, 'flaky', ['sleep 1', 'exit 7'], FLAKY);
  await apply(home, 'sweep-0417', SWEEP);
  await apply(home, 'chat', CHAT);
  await apply(home, 'notebook', NOTEBOOK);
  await apply(home, 'nightly', NIGHTLY);
  await applyVolume(home, 'datasets', 'local', 'size: 1GB\n');
  for (const [username, role] of MEMBERS) {
    await home.api('/api/users/create', { username, global_role: 'user' });
    const members = [{ username, project_role: role }];
    await home.api('/api/projects/main/add_members', { members });
  }
  for (const name of ['HF_TOKEN', 'WANDB_API_KEY']) {
    const value = 'not a real value';
    await home.api('/api/project/main/secrets/create_or_update', { name, value });
  }
  for (const name of ['evaluate', 'preprocess-common-crawl-2026-08']) {
    await untilRun(home, name, isFinished);
  }
  for (const name of ['train-llama-3-8b-lora', 'chat', 'notebook']) {
    await untilRun(home, name, isRunning);
  }
}

/** Beside them: runs that wait for capacity, for a person, and for each other, and quotas. */
export async function seedQueue(home: Installation): Promise<void> {
  const quotas = [
    { project_name: 'main', guaranteed: { cpu: 1 }, limit: { cpu: 16, gpu: 8, runs: 200 } },
    { project_name: 'main', user_name: '*', limit: { instances: 6, cost: 40 }, weight: 2 },
  ];
  await home.api('/api/quotas/apply', { quotas });
  await apply(home, 'sweep-0418', waiting('sweep-0418', 'priority: 20'));
  await apply(home, 'ablation', waiting('ablation'));
  await home.ok('hold', 'ablation');
  await apply(home, 'distil', waiting('distil', 'depends_on: [ablation]'));
  await apply(
    home,
    'report',
    waiting('report', 'depends_on: [distil, {run: evaluate, on: end}, {run: chat, on: failure}]'),
  );
}

const waiting = (name: string, more = '') => `type: task
name: ${name}
commands: [sleep 3600]
retry: {on_events: [no-capacity], duration: 1d}
resources: {gpu: "H100:8"}
${more}
`;

/** Prints like a training does, in colours, and goes on. */
const TRAINING = `
printf '\\033[1mLoading\\033[0m meta-llama/Llama-3.1-8B from /mnt/datasets\\n'
printf '\\033[33mwarning\\033[0m: flash attention is not installed, using the slower path\\n'
for i in $(seq 1 400); do
  printf '\\033[2mstep %5d/400\\033[0m  loss \\033[36m%s\\033[0m  lr 2.0e-4  %s tokens/s\\n' $i 1.$((9000 - i * 7)) $((18000 + i % 37))
done
i=400; while :; do sleep 1; i=$((i + 1)); echo "step $i  validation"; done
`;
const FLAKY = 'retry: {on_events: [error], duration: 1h}\n';
const SWEEP = `type: task
name: sweep-0417
commands: [sleep 3600]
retry: {on_events: [no-capacity], duration: 1d}
resources: {gpu: "H100:8"}
`;
const MEMBERS = [
  ['ann', 'admin'],
  ['bartholomew-fitzgerald', 'manager'],
  ['chen', 'user'],
] as const;

const APP = `exec ${jobProgram(join(import.meta.dirname, '..', 'service-app.ts'))}`;
const CHAT = `type: service
name: chat
port: 8000
model: parrot
auth: true
commands: ['${APP}']
resources: {gpu: 0}
`;
const NOTEBOOK = `type: dev-environment
name: notebook
ide: vscode
resources: {gpu: 0}
`;
const NIGHTLY = `type: task
name: nightly
commands: [echo tidy]
schedule: {cron: "0 3 * * *"}
resources: {gpu: 0}
`;

async function apply(home: Installation, name: string, yaml: string): Promise<void> {
  await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y', '-d');
}
