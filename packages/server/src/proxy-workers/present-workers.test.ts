import { expect, it } from 'vitest';
import { presentWorkers } from './present-workers.ts';

const worker = (name: string, isAccepting: boolean, isUnresponsive = false) => ({
  ...{ name, isAccepting, isUnresponsive },
});
const namesOf = (...workers: ReturnType<typeof worker>[]) =>
  presentWorkers(workers).map(({ name }) => name);

it('of several workers that accept, the first one that answers stays', () => {
  expect(namesOf(worker('a', true), worker('b', false), worker('c', true))).toEqual(['a', 'b']);
  expect(namesOf(worker('a', true, true), worker('b', false), worker('c', true))).toEqual([
    'c',
    'b',
  ]);
});

it('an unresponsive worker that alone accepts, or gets a share, stays: it may answer again', () => {
  expect(namesOf(worker('a', false, true), worker('b', true, true))).toEqual(['b', 'a']);
  expect(namesOf(worker('a', false), worker('b', false))).toEqual(['a', 'b']);
});
