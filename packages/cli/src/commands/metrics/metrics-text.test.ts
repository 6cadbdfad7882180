import { expect, it } from 'vitest';
import { painter } from '../../terminal/style.ts';
import { textWidth } from '../../terminal/text-width.ts';
import { type JobCharts, metricsText } from './metrics-text.ts';

const job = { job_spec: { job_num: 0, replica_num: 0, replica_group: '0' } } as JobCharts['job'];

/** The last line of the charts of a job that has ended. */
function axis(timestamps: readonly string[], width: number): string {
  const values = timestamps.map(() => 50);
  const metrics = ['cpu_usage_percent', 'memory_working_set_bytes'].map((name) => ({
    ...{ name, values, timestamps: [...timestamps] },
  }));
  const now = Date.parse('2026-12-01T00:00:00Z');
  const view = { now, width, paint: painter(false) };
  return (
    metricsText([{ job, metrics, resources: null }], view)
      .trimEnd()
      .split('\n')
      .at(-1) ?? ''
  );
}

it.each([
  [['2026-11-24T12:00:00Z', '2026-11-24T13:05:00Z'], /24 Nov 12:00┄13:05 UTC {2}/],
  [['2026-11-24T12:00:00Z', '2026-11-25T13:05:00Z'], /24 Nov 12:00┄25 Nov 13:05 UTC 24/],
])('the window of an ended job stands below both charts in 80 columns (%j)', (times, text) => {
  const line = axis(times, 80);
  expect(line).toMatch(text);
  expect(textWidth(line)).toBeLessThanOrEqual(80);
  const [utilization = 0, memory = 0] = [...line.matchAll(/24 Nov 12:00/g)].map((m) => m.index);
  expect(utilization).toBe('  cpu'.length + 'job=0'.length + 3);
  expect(memory - utilization).toBe(30);
});

it('a wide terminal has room for the line between both ends', () => {
  const times = ['2026-11-24T12:00:00Z', '2026-11-24T13:05:00Z'];
  expect(axis(times, 120)).toMatch(/24 Nov 12:00 ┄+ 13:05 UTC +24 Nov 12:00 ┄+ 13:05 UTC$/);
});
