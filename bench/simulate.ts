/** Plays stories of the simulation with as many seeds as time allows, in one worker thread per core. */
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { simulate as simulateSeed } from '../packages/server/src/testing/simulation/simulation.ts';
import { STORIES, type Story } from '../packages/server/src/testing/simulation/stories.ts';
import { print } from './measure.ts';

const MINUTES = '3';
const STEPS = 100;
const ORDINARY: Story = {
  name: 'whatever servers, hosts, clouds and users do, the invariants hold',
  options: {},
};

interface Task {
  readonly seed: number;
  /** Seeds of different workers are different. */
  readonly stride: number;
  /** Milliseconds since 1970. */
  readonly end: number;
}

type Report =
  | { readonly seed: number; readonly submissions: number; readonly checks: number }
  | { readonly seed: number; readonly failure: string };

/** `argument`: minutes, or minutes and the first seed (`30,1000`). */
export async function simulate(argument = MINUTES): Promise<void> {
  const [minutes = MINUTES, first] = argument.split(',');
  const end = Date.now() + Number(minutes) * 60_000;
  const seed = first === undefined ? randomInt(2 ** 31) : Number(first);
  const stride = availableParallelism();
  const sums = { stories: 0, submissions: 0, checks: 0 };
  const failed: number[] = [];
  const count = (report: Report) => {
    sums.stories += 1;
    if ('failure' in report) {
      failed.push(report.seed);
      console.error(`SIM_SEED=${report.seed} SIM_STEPS=${STEPS}: ${report.failure}`);
      return;
    }
    sums.submissions += report.submissions;
    sums.checks += report.checks;
  };
  const workers = Array.from({ length: stride }, (_, i) =>
    work({ seed: seed + i, stride, end }, count),
  );
  await Promise.all(workers);
  print({
    name: `simulate: ${minutes} minutes`,
    unit: 'number',
    'first seed': seed,
    ...sums,
    failed: failed.join(' '),
  });
}

/** Resolves at the end of the worker; rejects with its error. */
function work(task: Task, onReport: (report: Report) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  worker.on('message', onReport);
  worker.on('error', reject);
  worker.on('exit', () => resolve());
  return promise;
}

/** Half of the seeds play the ordinary story, the others each of the special ones in turn. */
async function story(seed: number): Promise<Report> {
  const { name, part, options } =
    (seed % 2 === 1 && STORIES[(seed >> 1) % STORIES.length]) || ORDINARY;
  try {
    const steps = STEPS * (part ?? 1);
    const { submissions, checks } = await simulateSeed({ seed, steps, ...options });
    return { seed, submissions, checks };
  } catch (error) {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { seed, failure: `${name}: ${failure}` };
  }
}

if (!isMainThread) {
  const { seed, stride, end } = workerData as Task;
  for (let next = seed; Date.now() < end; next += stride)
    parentPort?.postMessage(await story(next));
}
