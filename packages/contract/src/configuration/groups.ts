import * as z from 'zod';
import { GROUP_NAME } from '../grammar/names.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { reportIssue } from './issue.ts';
import { describeJson } from './json-form.ts';
import { firstDuplicate } from './rules.ts';
import { readString } from './scalars.ts';
import { isMap, type Reader, reader, shorthand } from './schema-kit.ts';

const WrittenGroupName: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem || GROUP_NAME.test(text)) return text;
    return new Problem(
      `must be 1 to 40 lower-case letters, digits and '-', not beginning with '-', got ${quote(text)}`,
    );
  },
  { type: 'string' },
);

/** Name of a node or replica group; null in input = its index in the list (see `groupList`). */
export const GroupName = describeJson(
  WrittenGroupName.default(''),
  { anyOf: [{ type: 'string' }, { type: 'null' }], default: null },
  { type: 'string' },
);

/** A list of groups; a group without a name is named after its index in the list. */
export function groupList<S extends z.ZodType<{ name: string }, unknown>>(
  group: S,
): Reader<z.output<S>[]> {
  const list = z.array(group).superRefine((groups, ctx) => {
    if (groups.length === 0) {
      reportIssue(
        ctx,
        groups,
        new Problem('must have one group or more: remove the key, or add a group'),
      );
    }
    const twice = firstDuplicate(groups.map((item) => item.name));
    if (twice !== undefined) {
      reportIssue(ctx, groups, new Problem(`has two groups with the name ${quote(twice)}`));
    }
  });
  return shorthand(list, nameGroups, (ref) => ({ type: 'array', items: ref(group) }));
}

function nameGroups(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((group, index) =>
    isMap(group) && (group.name ?? null) === null ? { ...group, name: String(index) } : group,
  );
}
