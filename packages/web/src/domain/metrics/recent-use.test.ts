import { expect, it } from 'vitest';
import { recentUse } from './recent-use.ts';

const timestamps = ['2026-11-26T12:00:10.000Z', '2026-11-26T12:00:00.000Z'];
const metric = (name: string, values: number[]) => ({ name, timestamps, values });
const cpu = [metric('cpu_usage_percent', [200, 100]), metric('cpus_detected_num', [4, 4])];

it('is that of the CPU where there is no GPU', () => {
  expect(recentUse({ metrics: cpu })).toMatchObject({ kind: 'CPU', values: [0.25, 0.5] });
});

it('is the average of all GPUs, oldest first', () => {
  const gpus = [
    metric('gpu_util_percent_gpu0', [90, 10]),
    metric('gpu_util_percent_gpu1', [70, 30]),
  ];
  const use = recentUse({ metrics: [...cpu, ...gpus] });
  expect(use).toMatchObject({ kind: 'GPU', values: [0.2, 0.8] });
  expect(use?.times).toEqual([1795694400, 1795694410]);
});

it('is unknown where nothing was measured', () => {
  expect(recentUse({ metrics: [] })).toBeNull();
});
