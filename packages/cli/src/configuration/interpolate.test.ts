import { expect, test } from 'vitest';
import { resolveEnv } from './env.ts';
import { interpolate, shellJoin } from './interpolate.ts';

const VALUES = { 'run.args': '--lr 1', 'env.A': 'x' };
const SKIP = ['secrets', 'groups'];

test.each([
  ['echo $$', 'echo $'],
  ['$${{ run.args }}', '${{ run.args }}'],
  ['$X $$', '$X $$'],
  ['a $$b $$c $d $$e', 'a $b $c $d $$e'],
  ['python x ${{ run.args }}', 'python x --lr 1'],
  ['${{run.args}}|${{ env.A }}', '--lr 1|x'],
  ['${{ secrets.T }} ${{ env.A }}', '${{ secrets.T }} x'],
  ['${{ groups[0].nodes[1].IP_ADDRESS }}', '${{ groups[0].nodes[1].IP_ADDRESS }}'],
  ['no reference', 'no reference'],
])('"%s" becomes "%s"', (text, expected) => {
  expect(interpolate(text, VALUES, SKIP)).toBe(expected);
});

test.each([
  ['${{ a-b.c }}', 'Illegal name'],
  ['${{ run.other }}', 'run.other'],
  ['${{ run.args', 'No closing'],
])('"%s" is an error', (text, message) => {
  expect(() => interpolate(text, VALUES, SKIP)).toThrow(message);
});

test('words are quoted for a shell', () => {
  expect(shellJoin(['a', 'b c', "it's", '', '--x=1'])).toBe(`a 'b c' 'it'"'"'s' '' --x=1`);
});

test('flags override the configuration and names take the value of the caller', () => {
  const env = resolveEnv({ A: '1', B: { key: 'MINE' } }, ['A=2', 'C', 'D=a=b'], {
    MINE: 'm',
    C: 'c',
  });
  expect(env).toEqual({ A: '2', B: 'm', C: 'c', D: 'a=b' });
});

test.each([
  [{ B: { key: 'MINE' } }, [], 'Environment variable MINE is not set'],
  [{}, ['1X=2'], '--env'],
])('%j with %j cannot be resolved', (configured, flags, message) => {
  expect(() => resolveEnv(configured, flags, {})).toThrow(message);
});
