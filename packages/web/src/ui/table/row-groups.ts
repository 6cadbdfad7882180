import type { GroupChoice } from './column-menu.tsx';

/** The groupings of the rows of a list, by the name in the address. */
export type RowGroups<Row> = Readonly<
  Record<string, { readonly label: string; readonly of: (row: Row) => string }>
>;

/** The entry of the menu; `value` that is not known counts as none. */
export function groupChoice<Row>(
  groups: RowGroups<Row>,
  value: string | undefined,
  onChange: GroupChoice['onChange'],
): GroupChoice {
  return {
    value: value !== undefined && Object.hasOwn(groups, value) ? value : null,
    choices: Object.entries(groups).map(([name, { label }]) => [name, label]),
    onChange,
  };
}
