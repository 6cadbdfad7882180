import { interpolate as interpolateOnServer } from '@dstack/contract';
import { expect, test } from 'vitest';
import { resolveEnv } from './env.ts';
import { replaceReferences } from './interpolate.ts';

const VALUES = { 'run.args': '--lr 1', 'env.A': 'x' };
const IN_COMMANDS = { skip: ['secrets', 'groups'], later: 'groups' } as const;
const WITH_SECRETS = { skip: ['secrets'], later: 'all' } as const;

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
  expect(replaceReferences(text, VALUES, IN_COMMANDS)).toBe(expected);
});

test.each([
  ['${{ a-b.c }}', 'Illegal name'],
  ['${{ run.other }}', 'run.other'],
  ['${{ run.args', 'No closing'],
])('"%s" is an error', (text, message) => {
  expect(() => replaceReferences(text, VALUES, IN_COMMANDS)).toThrow(message);
});

test.each([
  ['echo $${{ groups[0].nodes[1].IP_ADDRESS }}', 'echo $${{ groups[0].nodes[1].IP_ADDRESS }}'],
  ['$${{groups.x}} $${{ run.args }}', '$${{groups.x}} ${{ run.args }}'],
  ['$$${{ groups[0].nodes[1].IP_ADDRESS }}', '$${{ groups[0].nodes[1].IP_ADDRESS }}'],
  ['$${{ secrets.T }}', '${{ secrets.T }}'],
])('an escape that a later step removes is left to that step: %s', (text, expected) => {
  expect(replaceReferences(text, VALUES, IN_COMMANDS)).toBe(expected);
});

test('arguments are not read as references', () => {
  const args = { 'run.args': '${{ groups[0].nodes[0].IP_ADDRESS }}' };
  expect(replaceReferences('echo ${{ run.args }}', args, IN_COMMANDS)).toBe(
    'echo $${{ groups[0].nodes[0].IP_ADDRESS }}',
  );
});

test.each([
  ['pa$$word', 'pa$word'],
  ['$$$${{ secrets.T }}', '$${{ secrets.T }}'],
  ['$${{ secrets.T }}', '${{ secrets.T }}'],
  ['$$$$ ${{ secrets.T }}', '$$ s3$$cret'],
  ['$${{ env.A }} ${{ secrets.T }}', '${{ env.A }} s3$$cret'],
  ['${{ env.B }}', 'a$$b ${{ secrets.T }}'],
])('%s is %s on the host, after the server has replaced secrets', (text, expected) => {
  const values = { 'env.A': 'x', 'env.B': 'a$$b ${{ secrets.T }}' };
  const sent = replaceReferences(text, values, WITH_SECRETS);
  // Like the server, ignores texts without a reference.
  const secrets = { T: 's3$$cret' };
  const answer = sent.includes('${{') ? interpolateOnServer(sent, { secrets }) : null;
  expect(answer === null ? sent : answer.ok && answer.text).toBe(expected);
});

test('flags override the configuration, and names take the value of the caller', () => {
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
