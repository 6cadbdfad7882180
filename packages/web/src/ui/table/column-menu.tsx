import { Columns3 } from 'lucide-react';
import { useMemo } from 'react';
import { IconButton } from '../button/button.tsx';
import { Menu } from '../menu/menu.tsx';
import { useSavedChoice } from '../saved-choice.ts';
import type { TableColumn } from './column.ts';
import {
  type ColumnChoice,
  DEFAULT_COLUMNS,
  movedTo,
  orderedColumns,
  parseColumnChoice,
  visibleColumns,
} from './column-choice.ts';
import { DENSITIES, type Density, parseDensity } from './density.ts';

/** The columns of a table as the reader has chosen them. */
export function useColumns<Row>(table: string, columns: readonly TableColumn<Row>[]) {
  const [choice, setChoice] = useSavedChoice(`dstack-columns-${table}`, parseColumnChoice);
  const visible = useMemo(() => visibleColumns(columns, choice), [columns, choice]);
  return { visible, choice, setChoice };
}

export interface GroupChoice {
  /** Null: rows are not grouped. */
  readonly value: string | null;
  readonly choices: readonly (readonly [value: string, label: string])[];
  readonly onChange: (value: string | null) => void;
}

/** The value of the radio button for no grouping: each radio button needs one. */
const NOT_GROUPED = '';

export interface ColumnMenuProps<Row> {
  readonly columns: readonly TableColumn<Row>[];
  readonly choice: ColumnChoice;
  readonly onChange: (choice: ColumnChoice) => void;
  readonly density: Density;
  readonly onDensity: (density: Density) => void;
  /** The groupings of the rows; absent: the table has none. */
  readonly groups?: GroupChoice | undefined;
}

/** Switches columns on and off, orders them, and sets how close the rows are. */
export function ColumnMenu<Row>(props: ColumnMenuProps<Row>) {
  const { columns, choice, onChange, density, onDensity, groups } = props;
  const shown = visibleColumns(columns, choice).map(({ id }) => id);
  const movable = orderedColumns(columns, choice.order).filter(({ locked }) => !locked);
  const ids = movable.map(({ id }) => id);
  return (
    <Menu
      trigger={
        <IconButton label="Columns">
          <Columns3 size={16} />
        </IconButton>
      }
      entries={[
        {
          kind: 'order',
          label: 'Columns',
          items: movable.map(({ id, header }) => ({
            ...{ id, label: header, checked: shown.includes(id) },
          })),
          onCheck: (id, on) =>
            onChange({ ...choice, shown: on ? [...shown, id] : shown.filter((one) => one !== id) }),
          onMove: (id, place) => onChange({ ...choice, order: movedTo(ids, id, place) }),
        },
        'separator',
        {
          kind: 'action',
          label: 'Show the default columns',
          onSelect: () => onChange(DEFAULT_COLUMNS),
        },
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
