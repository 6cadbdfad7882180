import { describe, expect, it } from 'vitest';
import { meetsConstraint } from './slurm-constraint.ts';

const NODE = ['ib', 'rack1', 'nvme'];

describe('a constraint of Slurm', () => {
  it.each([
    ['ib', true],
    ['gpu', false],
    // Features have upper and lower case.
    ['IB', false],
    ['ib&nvme', true],
    ['ib&gpu', false],
    ['gpu|ib', true],
    ['gpu|tape', false],
    ['[rack1|rack2]', true],
    ['[rack2|rack3]', false],
    ['(rack2|rack1)&ib', true],
    ['(rack2|rack1)&(tape|gpu)', false],
    ['ib&[rack1|rack2]&nvme', true],
  ] as const)('%s is met or not by the features of a node', (text, expected) => {
    expect(meetsConstraint(text, NODE)).toBe(expected);
  });

  it.each([
    'ib*2',
    '[rack1*2&rack2*4]',
    // Slurm reads both operators in an order of its own.
    'gpu|ib&nvme',
    '!ib',
    'ib,nvme',
    '',
    '&',
    'ib&',
    '(ib',
    'ib)',
    '(ib]',
    'ib nvme',
    '((((((',
    '('.repeat(10_000),
    'a&'.repeat(10_000),
  ])('%s is not understood', (text) => {
    expect(meetsConstraint(text, NODE)).toBeNull();
  });
});
