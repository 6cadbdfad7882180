import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { DataTable } from './data-table.tsx';

interface Row {
  readonly id: string;
}

it('draws a new row on top without drawing the others again', () => {
  const drawn: string[] = [];
  const columns = [
    {
      id: 'name',
      header: 'Name',
      width: 100,
      cell: ({ id }: Row) => {
        drawn.push(id);
        return id;
      },
    },
  ];
  const known: Row[] = [{ id: 'b' }, { id: 'a' }];
  const table = (rows: readonly Row[]) => (
    <DataTable
      label="Letters"
      rows={rows}
      columns={columns}
      rowId={idOf}
      rowName={idOf}
      empty={null}
    />
  );
  const { rerender } = render(table(known));
  drawn.length = 0;
  rerender(table([{ id: 'c' }, ...known]));
  expect(screen.getAllByRole('row').map((row) => row.textContent)).toEqual(['Name', 'c', 'b', 'a']);
  expect(drawn).toEqual(['c']);
  expect(screen.getByRole('row', { name: 'a' }).getAttribute('aria-rowindex')).toBe('4');
});

const idOf = ({ id }: Row): string => id;
