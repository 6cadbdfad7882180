import { describe, expect, it } from 'vitest';
import {
  arrayIndexes,
  formatIndexes,
  interpolateMember,
  memberValues,
  parseMemberName,
} from './array-members.ts';
import { parseConfiguration } from './parse-configuration.ts';

const task = (array: unknown, more: object = {}) =>
  parseConfiguration(
    JSON.stringify({ type: 'task', commands: ['echo'], array, ...more }),
    'configuration',
  );

function findings(array: unknown, more: object = {}): string[] {
  const parsed = task(array, more);
  return parsed.ok ? [] : parsed.errors.map(({ path, message }) => `${path} ${message}`);
}

describe('the array of a task', () => {
  it('is a number of members, or a map', () => {
    const parsed = task(20);
    expect(parsed.ok && parsed.value).toMatchObject({
      array: { count: 20, max_parallel: 1000, max_failures: 0 },
    });
    const values = task({
      values: [
        { lr: 0.1, seed: 1 },
        { lr: 1e-5, seed: 2 },
      ],
      max_parallel: 4,
    });
    expect(values.ok && values.value).toMatchObject({
      array: {
        values: [
          { lr: '0.1', seed: '1' },
          { lr: '1e-05', seed: '2' },
        ],
        max_parallel: 4,
      },
    });
  });

  it.each([
    [{}, 'needs one of count, values and matrix, has none'],
    [{ count: 2, values: ['a'] }, 'needs one of count, values and matrix, has count and values'],
    [{ count: 0 }, 'must be 1 or more, got 0'],
    [{ count: 10_001 }, 'must be 10000 or less'],
    [{ values: ['a', { lr: 1 }] }, 'must have texts only or maps only, has a map at 1'],
    [
      { values: [{ lr: 1 }, { seed: 1 }] },
      'must have the same keys in each map (lr), has others at 1',
    ],
    [
      { values: [{ constructor: 1 }, { lr: 1 }] },
      'must have the same keys in each map (constructor), has others at 1',
    ],
    [{ matrix: { index: [1] } }, 'cannot have the key index'],
    [{ matrix: { 'a-b': [1] } }, "has the key 'a-b'"],
    [{ matrix: { lr: [1], LR: [2] } }, 'has two keys for the variable DSTACK_ARRAY_LR'],
    [{ matrix: { lr: [] } }, 'must have a list of values for lr, got an empty list'],
    [
      { matrix: { a: Array(200).fill(1), b: Array(100).fill(1) } },
      'may have 10000 members at most, has 20000',
    ],
    [{ count: 3, indexes: '1,5' }, 'must be below 3, has 5'],
    [{ count: 9, indexes: '5,1' }, 'must rise, has 1 late'],
    [{ count: 9, indexes: 'x' }, "must be indexes and ranges such as 0,3-7, has 'x'"],
    [{ count: 2, max_paralel: 1 }, 'is not a known key'],
  ])('%j is refused', (array, message) => {
    expect(findings(array).join('\n')).toContain(message);
  });

  it('names the place of a value that the members do not have', () => {
    const commands = ['train --lr $' + '{{ array.lr }}', 'echo $' + '{{ array.sed }}'];
    expect(findings({ matrix: { lr: [1] } }, { commands })).toEqual([
      expect.stringMatching(
        /^commands\.1 .*array\.sed.*it has array\.index, array\.count, array\.lr/,
      ),
    ]);
  });

  it('has one node for each member', () => {
    expect(findings(2, { nodes: 2 }).join()).toContain('nodes can have one node per member only');
  });
});

describe('the members of an array', () => {
  it('have the values of their index, the last key of a matrix changing fastest', () => {
    const array = { matrix: { lr: ['1', '2'], seed: ['a', 'b', 'c'] } };
    expect(arrayIndexes(array)).toHaveLength(6);
    expect(memberValues(array, 4)).toEqual({ index: '4', count: '6', lr: '2', seed: 'b' });
    expect(memberValues({ values: ['x', 'y'] }, 1)).toEqual({ index: '1', count: '2', value: 'y' });
  });

  it('may be some of all indexes', () => {
    expect(arrayIndexes({ count: 9, indexes: '0, 3-5,8' })).toEqual([0, 3, 4, 5, 8]);
    expect(formatIndexes([0, 3, 4, 5, 8])).toBe('0,3-5,8');
  });

  it('have their texts filled in, but for escaped ones and other names', () => {
    const open = '$' + '{{';
    const filled = interpolateMember(
      {
        name: `n ${open} array.index }}`,
        commands: [
          `a ${open} array.index }} ${open}array.x}} $${open} array.x }} ${open} secrets.y }}`,
        ],
        env: { A: `${open} array.x }}` },
      },
      { index: '3', count: '5', x: 'v' },
    );
    expect(filled).toEqual({
      name: `n ${open} array.index }}`,
      commands: [`a 3 v ${open} array.x }} ${open} secrets.y }}`],
      env: { A: 'v' },
    });
  });

  it('are recognised by their names', () => {
    expect(parseMemberName('train-12')).toEqual({ array: 'train', index: 12 });
    expect(parseMemberName('a-1-0')).toEqual({ array: 'a-1', index: 0 });
    expect(['train', 'train-01', 'train-x', '-1'].map(parseMemberName)).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });
});
