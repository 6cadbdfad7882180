/** How long the configurations of the members of an array become. */
import type { TaskArray } from '@dstack/contract';
import { indexesOf } from './array-member.ts';

export interface MemberTexts {
  readonly members: number;
  /** Characters at most: of the longest one, and of all together. */
  readonly longest: number;
  readonly all: number;
}

/**
 * `text`: of the configuration without the array. It counts as if all values of a member stood wherever one of them
 * does, and once more as variables: a value may stand in a text thousands of times.
 */
export function memberTexts(text: string, array: TaskArray): MemberTexts {
  const members = indexesOf(array).length;
  const uses = text.split('${{').length;
  const values = valueLengths(array);
  return {
    members,
    longest: text.length + uses * values.longest,
    all: members * (text.length + uses * values.mean),
  };
}

/** Characters of all values of one member together. */
function valueLengths({ values, matrix }: TaskArray): { longest: number; mean: number } {
  if (values == null) {
    const lists = Object.values(matrix ?? {}).map((list) => list.map((value) => value.length));
    return { longest: sum(lists.map(most)), mean: sum(lists.map(mean)) };
  }
  const lengths = values.map((value) =>
    typeof value === 'string' ? value.length : sum(Object.values(value).map((one) => one.length)),
  );
  return { longest: most(lengths), mean: mean(lengths) };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
const most = (numbers: readonly number[]): number =>
  numbers.reduce((found, one) => Math.max(found, one), 0);
const mean = (numbers: readonly number[]): number => sum(numbers) / Math.max(1, numbers.length);
