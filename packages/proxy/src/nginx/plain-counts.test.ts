import { expect, it } from 'vitest';
import { PlainCounts, tickOf } from './plain-counts.ts';

const text = [
  'e\t7-1',
  's\trun\t1500',
  'n\trun\t2:7:10\t3',
  'n\trun\t5:0:1\t1',
  't\tjob\t300',
  'm\tjob\t2:3\t2',
  'm\tjob\tf\t1',
  'b\trun\t4',
  'f\tjob\t12\t2',
  'x\trun\tjob\terrors_in_row\t5\t0\t99000',
].join('\n');

it('reads what nginx has counted', () => {
  expect(tickOf(text)).toEqual({
    epoch: '7-1',
    runs: new Map([
      [
        'run',
        {
          ms: '1500',
          counts: new Map([
            ['2:7:10', 3],
            ['5:0:1', 1],
          ]),
        },
      ],
    ]),
    jobs: new Map([
      [
        'job',
        {
          ms: '300',
          counts: new Map([
            ['2:3', 2],
            ['f', 1],
          ]),
        },
      ],
    ]),
    begun: new Map([['run', 4]]),
    inFlight: [{ job: 'job', pid: 12, n: 2 }],
    ejected: [
      { runId: 'run', jobId: 'job', why: { cause: 'errors_in_row', errors: 5 }, until: 99_000 },
    ],
  });
});

function counts() {
  const clock = { now: 1_000_000 };
  const subject = new PlainCounts(() => clock.now);
  const put = (ms: number, count: number, kept: 'all' | 'totals' | 'nothing' = 'all') =>
    subject.put('run', { ms: String(ms), counts: new Map([['2:7:10', count]]) }, kept);
  return { clock, subject, put };
}

it('reports totals, and those of the last minute by when they were seen', () => {
  const { clock, subject, put } = counts();
  put(1000, 3);
  clock.now += 10_000;
  put(3000, 5);
  put(3500, 6);
  expect(subject.seen('run')).toBe('3500');
  const { answered, latencies, slices } = subject.raw('run');
  expect([answered, latencies?.seconds, latencies?.counts[7]]).toEqual([{ '2xx': 6 }, 3.5, 6]);
  expect(slices).toEqual([
    { number: 100, count: 3, errors: 0, buckets: [[10, 3]] },
    { number: 101, count: 3, errors: 0, buckets: [[10, 3]] },
  ]);
  for (let n = 0; n < 10; n++) {
    clock.now += 10_000;
    put(4000 + n, 7 + n);
  }
  expect(subject.raw('run').slices).toHaveLength(6);
});

it('leaves out what an earlier process has reported', () => {
  const { subject, put } = counts();
  put(1000, 3, 'nothing');
  expect(subject.raw('run')).toMatchObject({ answered: {}, latencies: { seconds: 0 }, slices: [] });
  put(1500, 4);
  expect(subject.raw('run')).toMatchObject({ answered: { '2xx': 1 }, latencies: { seconds: 0.5 } });
});

it('takes over the totals of an earlier process without the times at which they were seen', () => {
  const { subject, put } = counts();
  put(1000, 3, 'totals');
  put(1500, 4);
  const { answered, latencies, slices } = subject.raw('run');
  expect([answered, latencies?.seconds]).toEqual([{ '2xx': 4 }, 1.5]);
  expect(slices).toMatchObject([{ count: 1 }]);
});

it('keeps counts that are missing in an answer', () => {
  const { subject, put } = counts();
  put(1000, 3);
  subject.put('run', { ms: '1001', counts: new Map([['5:0:1', 1]]) });
  expect(subject.raw('run').answered).toEqual({ '2xx': 3, '5xx': 1 });
  expect(subject.raw('run').slices).toMatchObject([{ count: 4, errors: 1 }]);
});

it('goes on from what it knows where nginx has forgotten a count, for want of memory', () => {
  const { subject, put } = counts();
  put(1000, 3, 'nothing');
  put(1500, 5);
  put(200, 1);
  put(300, 2);
  const { answered, latencies, slices } = subject.raw('run');
  expect([answered, latencies?.seconds, latencies?.counts[7]]).toEqual([{ '2xx': 4 }, 0.8, 4]);
  expect(slices).toEqual([{ number: 100, count: 4, errors: 0, buckets: [[10, 4]] }]);
  expect(subject.seen('run')).toBe('300');
});

it('reports what each replica has answered since this process looks at it', () => {
  const { subject } = counts();
  const put = (count: number, kept: 'all' | 'nothing' = 'all') => {
    const tick = new Map([
      ['2:3', count],
      ['f', 1],
    ]);
    subject.put('job', { ms: String(100 * count), counts: tick }, kept);
  };
  put(2, 'nothing');
  expect(subject.byReplica(['job', 'other'])).toMatchObject({ job: { answered: {} } });
  put(5);
  const { job } = subject.byReplica(['job']);
  expect(job?.answered).toEqual({ '2xx': 3 });
  expect(job?.latencies.seconds).toBeCloseTo(0.3);
  expect(job?.latencies.counts[3]).toBe(3);
});
