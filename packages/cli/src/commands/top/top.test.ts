import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { attachedRun, withStatus } from '../../testing/apply-run.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const INSTANCE = {
  name: 'lab-0',
  fleet_name: 'lab',
  backend: 'aws',
  region: 'eu',
  status: 'busy',
  unreachable: false,
  busy_blocks: 1,
  total_blocks: 1,
  price: 2.5,
  instance_type: null,
  job_name: 'cdd080-0-0',
};
const OVERVIEW = {
  runs: [{ status: 'submitted', count: 2 }],
  gpus: [{ name: 'H100', memory_mib: 81_920, total: 8, in_use: 6, unreachable: 0 }],
};

async function top(argv: string[] = [], terminal?: number) {
  const run: Run = withStatus(await attachedRun(), 'running', 'running', 'running');
  const metric = (name: string, value: number) => ({ name, timestamps: ['t'], values: [value] });
  const fake = await startFakeServer({
    'GET /api/overview': { json: OVERVIEW },
    'POST /api/runs/list': { json: [run] },
    'POST /api/instances/list': { json: [INSTANCE] },
    'GET /api/project/main/metrics/job/cdd080': {
      json: {
        metrics: [
          metric('cpu_usage_percent', 42.4),
          metric('memory_working_set_bytes', 3 * 1024 ** 3),
          metric('gpu_util_percent_gpu0', 97),
        ],
      },
    },
  });
  const stopAtHosts = (output: string, pressCtrlC: () => void): void => {
    if (output.includes('lab-0')) pressCtrlC();
  };
  const options = { env: serverEnv(fake.url), terminal, onOutput: stopAtHosts };
  return runCommand(['top', ...argv], options);
}

test('jobs with their use, GPUs and hosts are on one page', async () => {
  const { out } = await top();
  expect(out).toContain('1 running job · 2 waiting runs · 1 of 1 host in use · $2.5/h');
  expect(out).toContain('GPUs  H100 80GB: 6 of 8 in use');
  expect(out).toMatch(/ JOB +USER +CPU +MEMORY +GPU[^\n]*\n \S+ +admin +42% +3GB +97%/);
  expect(out).toMatch(/ lab-0 +lab +aws +- +busy +1\/1 +\$2.5/);
});

test('the sums are wrapped at words in a narrow terminal', async () => {
  const { out } = await top([], 40);
  expect(out).toContain('1 running job · 2 waiting\nruns');
});

test('as JSON it is one document', async () => {
  const { out } = await top(['--json']);
  const { project, jobs, instances } = JSON.parse(out);
  expect(project).toBe('main');
  expect(jobs).toMatchObject([{ run: 'cdd080', measured: { cpu_usage_percent: 42.4 } }]);
  expect(instances).toEqual([INSTANCE]);
});
