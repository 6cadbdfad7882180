import { expect, test } from 'vitest';
import { diffSpecs, renderDiff, sameValue } from './spec-diff.ts';

test('null and absent fields and the order of keys make no difference', () => {
  expect(sameValue({ a: 1, b: null }, { a: 1 })).toBe(true);
  expect(sameValue({ a: { x: [1, 2] } }, { a: { x: [1, 2] } })).toBe(true);
  expect(sameValue([1, 2], [2, 1])).toBe(false);
  expect(sameValue({ a: 0 }, {})).toBe(false);
});

test('changes are listed with old and new values, secrets without', () => {
  const stored = {
    repo_code_hash: 'a',
    configuration: { commands: ['x'], replicas: null, env: { T: 'secret1' } },
    profile: { name: 'default' },
  };
  const wanted = {
    repo_code_hash: 'b',
    configuration: { commands: ['y'], replicas: { min: 2, max: 2 }, env: { T: 'secret2' } },
    profile: { name: 'default' },
    working_dir: '/a',
  };
  expect(renderDiff(diffSpecs(stored, wanted))).toBe(
    [
      '- Repo files',
      '- Configuration properties:',
      '  - commands: ["x"] -> ["y"]',
      '  - replicas: (none) -> {"min":2,"max":2}',
      '  - env',
      '- Working dir: (none) -> /a',
      '',
    ].join('\n'),
  );
});

test('equal specs have no differences', () => {
  expect(diffSpecs({ a: [{ b: 1 }] }, { a: [{ b: 1, c: null }] })).toEqual([]);
});
