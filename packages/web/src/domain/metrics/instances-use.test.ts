import type { Instance, MeasuredUse } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { measuredIds, usedTogether } from './instances-use.ts';

const instance = (id: string, gpus: number, status = 'busy', cpus = 8) =>
  ({
    ...{ id, status },
    instance_type: { resources: { cpus, gpus: Array.from({ length: gpus }, () => ({})) } },
  }) as unknown as Instance;

const AT = ['2026-11-26T12:00:00Z', '2026-11-26T12:00:30Z'];
const use = (
  instance_id: string,
  kind: MeasuredUse['kind'],
  ...percents: number[]
): MeasuredUse => ({
  ...{ instance_id, kind, percents },
  timestamps: AT.slice(-percents.length),
});

it('is asked for of busy instances, in an order of their own', () => {
  const instances = [instance('b', 0), instance('c', 0, 'idle'), instance('a', 0)];
  expect(measuredIds(instances)).toEqual(['a', 'b']);
  expect(measuredIds(Array.from({ length: 201 }, (_, i) => instance(`${i}`, 0)))).toEqual([]);
});

it('weighs instances by their GPUs, counts idle ones as unused, and leaves CPUs out', () => {
  const instances = [
    instance('a', 4),
    instance('b', 2),
    instance('c', 2, 'idle'),
    instance('d', 0),
  ];
  const uses = [use('a', 'gpu', 50, 100), use('b', 'gpu', 100), use('d', 'cpu', 90, 90)];
  expect(usedTogether(instances, uses)).toEqual({
    kind: 'GPU',
    times: [1795694400, 1795694430],
    values: [0.25, 0.75],
  });
});

it('is that of the CPUs where there is no GPU', () => {
  const instances = [instance('a', 0, 'busy', 12), instance('b', 0, 'idle', 4)];
  expect(usedTogether(instances, [use('a', 'cpu', 100)])).toMatchObject({
    kind: 'CPU',
    values: [0.75],
  });
});

it('is unknown without measurements, and of instances whose size is unknown', () => {
  expect(usedTogether([instance('a', 1)], [])).toBeNull();
  expect(usedTogether([], [use('a', 'gpu', 1)])).toBeNull();
});
