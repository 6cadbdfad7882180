/**
 * Placement over time: a trace through the real placement by a simulated clock, beside plain FIFO and
 * textbook EASY backfill on the same hosts. No server and no database takes part.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { place } from '../packages/core/src/index.ts';
import { Replay } from '../packages/core/src/placement/testing-replay.ts';
import { percentile, print } from './measure.ts';
import { averaged, type Figures, figuresOf } from './replay/figures.ts';
import { gpuMix } from './replay/gpu-mix.ts';
import { lublin } from './replay/lublin.ts';
import { TraceRandom } from './replay/random.ts';
import { readSwf } from './replay/swf.ts';
import { playTextbook } from './replay/textbook.ts';
import { type Trace, type TraceJob, withLoad } from './replay/trace.ts';

const JOBS = '10000';
const SEEDS = '5';
const LOAD = '0.75';

type Name = 'fifo' | 'easy' | 'placement';

/**
 * `argument`: jobs, seeds and load (`10000,5,0.75`), optionally one of the generated traces
 * (`10000,5,0.75,gpu-mix`); or the path of a trace in the Standard Workload Format and how many GPUs a
 * host has (`trace.swf,8`).
 */
export async function replay(argument = ''): Promise<void> {
  const [first = '', ...rest] = argument.split(',');
  if (first.endsWith('.swf')) {
    const trace = readSwf(basename(first), readFileSync(first, 'utf8'), Number(rest[0] ?? 8));
    compare(trace.name, [trace]);
    return;
  }
  const [seeds = SEEDS, load = LOAD, only] = rest;
  const count = Number(first || JOBS);
  const numbers = Array.from({ length: Number(seeds) }, (_, index) => index + 1);
  for (const [name, generate] of Object.entries(GENERATORS)) {
    if (only !== undefined && only !== name) continue;
    const traces = numbers.map((seed) =>
      withLoad(generate(new TraceRandom(seed), count), Number(load)),
    );
    compare(`${name}, ${count} jobs, load ${load}`, traces);
  }
}

const GENERATORS: Readonly<Record<string, (random: TraceRandom, count: number) => Trace>> = {
  'lublin-exact': (random, count) => lublin(random, count, 'exact'),
  'lublin-user': (random, count) => lublin(random, count, 'user'),
  'gpu-mix': gpuMix,
};

function compare(name: string, traces: readonly Trace[]): void {
  for (const note of traces[0]?.notes ?? []) print({ name: `replay: ${name}`, unit: 'note', note });
  const all: Record<Name, Figures[]> = { fifo: [], easy: [], placement: [] };
  const decisions: number[] = [];
  for (const trace of traces) {
    all.fifo.push(figuresOf(trace, playTextbook(trace.jobs, trace, 'fifo')));
    all.easy.push(figuresOf(trace, playTextbook(trace.jobs, trace, 'easy')));
    all.placement.push(figuresOf(trace, placed(trace, decisions)));
  }
  for (const [policy, figures] of Object.entries(all)) {
    print({
      name: `replay: ${name}: ${policy}`,
      unit: 'mean of seeds',
      seeds: figures.length,
      ...averaged(figures),
    });
  }
  const total = decisions.reduce((sum, one) => sum + one, 0);
  print({
    ...{ name: `replay: ${name}: decisions of placement`, unit: 'ms', n: decisions.length },
    a_second: Math.round((decisions.length / total) * 1000),
    p99: Number(percentile(decisions, 99).toFixed(2)),
  });
}

function placed(trace: Trace, decisions: number[]) {
  const jobs = new Map<string, TraceJob>(trace.jobs.map((job) => [job.name, job]));
  const replayed = new Replay(trace, (...input) => {
    const began = performance.now();
    const decision = place(...input);
    decisions.push(performance.now() - began);
    return decision;
  });
  return replayed.play(trace.jobs).flatMap(({ job: { name }, startedAt, endsAt }) => {
    const job = jobs.get(name);
    return job ? [{ job, startedAt, endsAt }] : [];
  });
}
