import { expect, test } from 'vitest';
import type { DependencyRecord } from '../model/index.ts';
import { dependencyReasons } from './dependencies.ts';
import type { UpstreamRun } from './input.ts';

const LAYERS = 10;
const WIDTH = 10;

const named = (name: string): DependencyRecord => ({
  ...{ upstreamId: name, name, on: 'success', keep: false, outcome: null },
});
const layer = (number: number) =>
  number === LAYERS ? [] : Array.from({ length: WIDTH }, (_, n) => named(`run-${number}-${n}`));

test('each run is described once, however many ways lead to it', () => {
  const upstreams = Array.from({ length: LAYERS }, (_, number) =>
    layer(number).map(({ name }): UpstreamRun => {
      const run = { id: name, name, status: 'pending', hold: null };
      return { run, dependencies: layer(number + 1) } as unknown as UpstreamRun;
    }),
  ).flat();
  const reasons = dependencyReasons(layer(0), upstreams);
  expect(reasons).toHaveLength(WIDTH);
  const text = reasons.map((one) => one.text).join('\n');
  expect(text.match(/run run-9-0 is done, which is pending/g)).toHaveLength(1);
  expect(text.length).toBeLessThan(10_000);
});
