import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyFleet, configuration, newInstallation } from './installation.ts';

const app = jobProgram(join(import.meta.dirname, 'router-app.ts'));

let home: Installation;
beforeAll(async () => {
  home = newInstallation();
  await home.startServer();
  await applyFleet(home, '0..4');
});
afterAll(() => home?.dispose());

async function apply(workers: number): Promise<void> {
  const yaml = [
    'type: service',
    'name: routed',
    'port: 8000',
    'retry: true',
    'groups:',
    '  - name: router',
    '    replicas: 1',
    '    router: {type: smg}',
    '    resources: {gpu: 0}',
    `    commands: ['exec ${app}']`,
    '  - name: workers',
    `    replicas: ${workers}`,
    '    resources: {gpu: 0}',
    `    commands: ['exec ${app} worker']`,
  ].join('\n');
  await home.ok('apply', '-f', configuration(home, 'routed.yml', yaml), '-y', '-d');
}

/** Process ids of the workers that have answered requests, by job, once they are so many. */
async function answering(count: number, others: ReadonlySet<number> = new Set()) {
  for (;;) {
    const seen = new Map<string, number>();
    for (let n = 0; n < 2 * count; n++) {
      const answer = await ask('hello');
      if (answer.status !== 200) break;
      const { job, pid, prompt } = (await answer.json()) as Answer;
      expect(prompt).toBe('hello');
      seen.set(job, pid);
    }
    const pids = [...seen.values()];
    if (pids.length === count && !pids.some((pid) => others.has(pid))) return pids;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function ask(body: string): Promise<Response> {
  return fetch(`${home.url}/proxy/services/main/routed/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${home.token()}` },
    body,
  });
}

interface Answer {
  readonly job: string;
  readonly pid: number;
  readonly prompt: string;
}

it('requests reach the present workers through their router, whatever dies', async () => {
  await apply(2);
  const [killed = 0] = await answering(2);
  process.kill(killed, 'SIGKILL');
  await answering(2, new Set([killed]));
  await home.stopServer('SIGKILL');
  await home.startServer();
  await apply(3);
  await answering(3);
  // Each worker has one when two of them are scaled down.
  const slow = [1, 2, 3].map(() => ask('slow'));
  await apply(1);
  const answers = await Promise.all(slow);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  const bodies = (await Promise.all(answers.map((one) => one.json()))) as Answer[];
  expect(new Set(bodies.map(({ job }) => job)).size).toBe(3);
  await answering(1);
});
