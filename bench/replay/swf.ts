/**
 * Reads traces in the Standard Workload Format 2.2: one job a line, 18 numbers, -1 = unknown, `;` before
 * comments (https://www.cs.huji.ac.il/labs/parallel/workload/swf.html). Use the cleaned files of an archive.
 */
import { LONGEST, type Trace, type TraceJob } from './trace.ts';

/** Numbers of the fields, from 0. */
const FIELD = {
  ...{
    job: 0,
    submit: 1,
    run: 3,
    allocated: 4,
    requested: 7,
    limit: 8,
    status: 10,
    user: 11,
    group: 12,
  },
} as const;

/** Lines of one job with checkpoints; its summary has another status. */
const PARTIAL = [2, 3, 4];

export function readSwf(name: string, text: string, gpusPerHost: number): Trace {
  const header = new Map<string, string>();
  const jobs: TraceJob[] = [];
  const dropped = { 'without a run time': 0, 'parts of other jobs': 0, 'larger than the pool': 0 };
  let clipped = 0;
  for (const line of text.split('\n')) {
    const comment = /^;\s*(\w+):\s*(.*)$/.exec(line);
    if (comment) header.set(comment[1] ?? '', comment[2] ?? '');
    const fields = line.trim().split(/\s+/).map(Number);
    if (line.startsWith(';') || fields.length < 18) continue;
    const at = (field: keyof typeof FIELD): number => fields[FIELD[field]] ?? -1;
    if (PARTIAL.includes(at('status'))) dropped['parts of other jobs'] += 1;
    else if (at('run') < 0 || (at('status') === 5 && at('run') === 0)) {
      dropped['without a run time'] += 1;
    } else {
      const limit = at('limit') > 0 ? at('limit') : Math.max(LONGEST, at('run'));
      if (at('run') > limit) clipped += 1;
      const gpus = at('requested') > 0 ? at('requested') : at('allocated');
      jobs.push({
        name: `j${at('job')}`,
        arrives: at('submit'),
        gpus: Math.max(1, gpus),
        // 0 means less than half a second.
        runs: Math.max(1, Math.min(at('run'), limit)),
        limit: Math.ceil(limit),
        project: `group-${at('group')}`,
      });
    }
  }
  const processors = Number(header.get('MaxProcs') ?? Math.max(...jobs.map((job) => job.gpus)));
  const hosts = Math.max(1, Math.floor(processors / gpusPerHost));
  const fitting = jobs.filter(({ gpus }) => Math.ceil(gpus / gpusPerHost) <= hosts);
  dropped['larger than the pool'] = jobs.length - fitting.length;
  return {
    ...{ name, hosts, gpusPerHost },
    jobs: fitting.toSorted((a, b) => a.arrives - b.arrives),
    notes: [
      `a processor is one GPU, and a host has ${gpusPerHost}`,
      ...Object.entries(dropped).flatMap(([why, count]) =>
        count > 0 ? [`${count} jobs ${why}`] : [],
      ),
      ...(clipped > 0 ? [`${clipped} jobs end at their limit`] : []),
    ],
  };
}
