import { expect, it } from 'vitest';
import { fillGroupAddresses, groupMembers, unescapeReferences } from './group-references.ts';

const COMMANDS = [
  'head --workers ${{ groups[1].nodes[0].IP_ADDRESS }},${{groups[1].nodes[1].IP_ADDRESS}}',
  'echo $${{ groups[0].nodes[0].IP_ADDRESS }} ${{ secrets.x }} $$',
];

it('finds whose addresses commands mention', () => {
  expect(groupMembers(COMMANDS)).toEqual([
    { group: 1, index: 0 },
    { group: 1, index: 1 },
  ]);
});

it('puts addresses in their place and leaves everything else alone', () => {
  const filled = fillGroupAddresses(COMMANDS, ({ group, index }) => `10.0.${group}.${index}`);
  expect(filled).toEqual([
    'head --workers 10.0.1.0,10.0.1.1',
    'echo ${{ groups[0].nodes[0].IP_ADDRESS }} ${{ secrets.x }} $$',
  ]);
});

it('takes one dollar from what is escaped, once, whether addresses are filled in or not', () => {
  const escaped = ['echo $${{ groups[0].nodes[0].IP_ADDRESS }} $${{groups.x}} $${{ run.x }} $$'];
  const expected = ['echo ${{ groups[0].nodes[0].IP_ADDRESS }} ${{groups.x}} $${{ run.x }} $$'];
  expect(groupMembers(escaped)).toEqual([]);
  expect(unescapeReferences(escaped)).toEqual(expected);
  expect(fillGroupAddresses(escaped, () => 'never')).toEqual(expected);
});
