import { Columns3 } from 'lucide-react';
import { useMemo } from 'react';
import { IconButton } from '../button/button.tsx';
import { Menu } from '../menu/menu.tsx';
import { useSavedChoice } from '../saved-choice.ts';
import { type TableColumn, visibleColumns } from './column.ts';
import { DENSITIES, type Density, parseDensity } from './density.ts';

/** The columns of a table that the reader has chosen; null: the defaults. */
export function useColumns<Row>(table: string, columns: readonly TableColumn<Row>[]) {
  const [shown, setShown] = useSavedChoice(`dstack-columns-${table}`, parseColumns);
  const visible = useMemo(() => visibleColumns(columns, shown), [columns, shown]);
  return { visible, setShown };
}

function parseColumns(saved: unknown): readonly string[] | null {
  return Array.isArray(saved) && saved.every((id) => typeof id === 'string') ? saved : null;
}

export interface GroupChoice {
  /** Null: rows are not grouped. */
  readonly value: string | null;
  readonly choices: readonly (readonly [value: string, label: string])[];
  readonly onChange: (value: string | null) => void;
}

/** Of a radio button, which needs a value. */
const NOT_GROUPED = '';

export interface ColumnMenuProps<Row> {
  readonly columns: readonly TableColumn<Row>[];
  readonly visible: readonly TableColumn<Row>[];
  readonly onChange: (shown: readonly string[] | null) => void;
  readonly density: Density;
  readonly onDensity: (density: Density) => void;
  /** What rows can be grouped by. */
  readonly groups?: GroupChoice;
}

/** Switches columns on and off, and sets how close the rows are. */
export function ColumnMenu<Row>(props: ColumnMenuProps<Row>) {
  const { columns, visible, onChange, density, onDensity, groups } = props;
  const ids = visible.map(({ id }) => id);
  return (
    <Menu
      trigger={
        <IconButton label="Columns">
          <Columns3 size={16} />
        </IconButton>
      }
      entries={[
        ...columns
          .filter(({ locked }) => !locked)
          .map(({ id, header }) => ({
            kind: 'switch' as const,
            id,
            label: header,
            checked: ids.includes(id),
            onChange: (on: boolean) =>
              onChange(on ? [...ids, id] : ids.filter((other) => other !== id)),
          })),
        'separator',
        { kind: 'action', label: 'Show the default columns', onSelect: () => onChange(null) },
        'separator',
        {
          kind: 'choice',
          label: 'Rows',
          value: density,
          choices: DENSITIES,
          onChange: (value) => onDensity(parseDensity(value)),
        },
        ...(groups === undefined
          ? []
          : ([
              'separator',
              {
                kind: 'choice',
                label: 'Group by',
                value: groups.value ?? NOT_GROUPED,
                choices: [[NOT_GROUPED, 'Nothing'], ...groups.choices],
                onChange: (value: string) => groups.onChange(value === NOT_GROUPED ? null : value),
              },
            ] as const)),
      ]}
    />
  );
}
