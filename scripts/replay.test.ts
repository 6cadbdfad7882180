import { describe, expect, it } from 'vitest';
import { figuresOf } from '../bench/replay/figures.ts';
import { gpuMix } from '../bench/replay/gpu-mix.ts';
import { lublin } from '../bench/replay/lublin.ts';
import { TraceRandom } from '../bench/replay/random.ts';
import { readSwf } from '../bench/replay/swf.ts';
import { playTextbook } from '../bench/replay/textbook.ts';
import { type Trace, usedGpus, withLoad } from '../bench/replay/trace.ts';
import { Replay } from '../packages/core/src/placement/testing-replay.ts';

const SWF = `; Version: 2.2
; MaxNodes: 4
; MaxProcs: 32
  1   0  10  100  8 -1 -1  8  200 -1 1 3 2 -1 1 -1 -1 -1
  2  60  -1  500 -1 -1 -1 16  300 -1 1 4 2 -1 1 -1 -1 -1
  3  90  -1   50  2 -1 -1 -1   -1 -1 0 4 5 -1 1 -1 -1 -1
  4  95  70   -1 -1 -1 -1  4  100 -1 5 4 5 -1 1 -1 -1 -1
  5  99   0   10  4 -1 -1  4  100 -1 2 4 5 -1 1 -1 -1 -1
  6  99   0    0 64 -1 -1 64  100 -1 1 4 5 -1 1 -1 -1 -1
`;

describe('a trace in the Standard Workload Format', () => {
  const trace = readSwf('a.swf', SWF, 8);

  it('gives the pool, and jobs with sizes, run times and limits', () => {
    expect([trace.hosts, trace.gpusPerHost]).toEqual([4, 8]);
    expect(trace.jobs).toEqual([
      { name: 'j1', arrives: 0, gpus: 8, runs: 100, limit: 200, project: 'group-2' },
      { name: 'j2', arrives: 60, gpus: 16, runs: 300, limit: 300, project: 'group-2' },
      { name: 'j3', arrives: 90, gpus: 2, runs: 50, limit: 259_200, project: 'group-5' },
    ]);
  });

  it('reports what was left out', () => {
    expect(trace.notes).toEqual([
      'a processor is one GPU, and a host has 8',
      '1 jobs without a run time',
      '1 jobs parts of other jobs',
      '1 jobs larger than the pool',
      '1 jobs end at their limit',
    ]);
  });
});

describe('generated traces', () => {
  it('are the same for the same seed, and others for another one', () => {
    expect(gpuMix(new TraceRandom(3), 200)).toEqual(gpuMix(new TraceRandom(3), 200));
    expect(lublin(new TraceRandom(3), 200, 'user')).not.toEqual(
      lublin(new TraceRandom(4), 200, 'user'),
    );
  });

  it('have the sizes and run times of their models', () => {
    const { jobs } = lublin(new TraceRandom(1), 4000, 'exact');
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(jobs.map((job) => job.gpus))).toBeCloseTo(6.7, 0);
    expect(mean(jobs.map((job) => job.runs)) / 3870).toBeCloseTo(1, 0);
    const mix = gpuMix(new TraceRandom(1), 8000).jobs;
    expect(mix.filter((job) => job.gpus === 1).length / mix.length).toBeCloseTo(0.65, 1);
    expect(mix.every((job) => job.runs <= job.limit)).toBe(true);
  });

  it('offer the work that is asked for', () => {
    const trace = withLoad(gpuMix(new TraceRandom(1), 500), 0.5);
    const work = trace.jobs.reduce((sum, job) => sum + usedGpus(job, 8) * job.runs, 0);
    const span = Math.max(...trace.jobs.map((job) => job.arrives));
    expect(work / (64 * 8 * span)).toBeCloseTo(0.5, 2);
  });

  it('draw from a gamma distribution by its mean and variance', () => {
    const random = new TraceRandom(1);
    const drawn = Array.from({ length: 20_000 }, () => random.gamma(4.2, 0.94));
    const mean = drawn.reduce((a, b) => a + b, 0) / drawn.length;
    const variance = drawn.reduce((a, b) => a + (b - mean) ** 2, 0) / drawn.length;
    expect(mean).toBeCloseTo(4.2 * 0.94, 1);
    expect(variance).toBeCloseTo(4.2 * 0.94 ** 2, 0);
  });
});

describe('the textbook', () => {
  const jobs = Object.entries({
    ...{ R1: [0, 5, 60, 60], R2: [0, 2, 30, 40], H: [1, 6, 40, 40], S1: [2, 1, 20, 20] },
    ...{ M1: [3, 2, 90, 90], L1: [4, 1, 200, 200], S2: [5, 2, 25, 30] },
  }).map(([name, [arrives = 0, gpus = 0, runs = 0, limit = 0]]) => {
    return { name, arrives, gpus, runs, limit, project: 'p' };
  });
  const pool = { hosts: 8, gpusPerHost: 1 };
  const starts = (policy: 'fifo' | 'easy') =>
    Object.fromEntries(
      playTextbook(jobs, pool, policy).map((one) => [one.job.name, one.startedAt]),
    );

  it('is plain FIFO, and EASY backfill', () => {
    expect(starts('fifo')).toEqual({ R1: 0, R2: 0, H: 60, S1: 60, M1: 80, L1: 100, S2: 100 });
    expect(starts('easy')).toEqual({ R1: 0, R2: 0, H: 60, S1: 2, M1: 100, L1: 22, S2: 30 });
  });

  it.each(['lublin', 'gpu-mix'] as const)('is no better than placement: %s', (name) => {
    const generate = (random: TraceRandom): Trace =>
      name === 'lublin' ? lublin(random, 60, 'user') : gpuMix(random, 60);
    const waits = { easy: 0, ours: 0 };
    for (const seed of [1, 2]) {
      const trace = withLoad(generate(new TraceRandom(seed)), 0.85);
      waits.easy += figuresOf(trace, playTextbook(trace.jobs, trace, 'easy')).wait_mean_s;
      const ours = new Replay(trace).play(trace.jobs).map((one) => ({
        ...one,
        job: { ...one.job, limit: one.job.limit ?? 0, project: 'p' },
      }));
      waits.ours += figuresOf(trace, ours).wait_mean_s;
    }
    expect(waits.ours).toBeLessThan(waits.easy * 1.05 + 1);
  });
});
