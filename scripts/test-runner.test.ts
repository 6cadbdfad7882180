import { expect, it } from 'vitest';
import { Stalls } from './test-runner.ts';

const file = { name: 'hosts.test.ts' };

function after(state: 'pass' | 'fail', ...durations: number[]): Stalls {
  const stalls = new Stalls();
  const attempts = durations.map((duration) => ({ duration }));
  stalls.ended({ name: 'asks the host', timeout: 1000, file, result: { state, attempts } });
  return stalls;
}

it('after a test that used up its limit, the others of its file are not run, and those of other files are', () => {
  const stalls = after('fail', 900, 1000);
  expect(stalls.reason(file)).toContain('asks the host');
  expect(stalls.reason({ name: 'runs.test.ts' })).toBeNull();
});

it.each([
  ['a quick failure', 'fail', [300]],
  ['two failures that were long together', 'fail', [600, 600]],
  ['a failure that was quick when it was tried again', 'fail', [1000, 200]],
  ['a test that took long and passed', 'pass', [950]],
] as const)('after %s the others are run', (_name, state, durations) => {
  expect(after(state, ...durations).reason(file)).toBeNull();
});
