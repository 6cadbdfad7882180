import { expect, it } from 'vitest';
import { RelativeTime } from '../../time/time.tsx';
import type { TableColumn } from '../column.ts';
import { csvField, exportText } from './export-text.ts';

interface Row {
  readonly name: string;
  readonly cost: number | null;
  readonly at: string;
}

const COLUMNS: readonly TableColumn<Row>[] = [
  { id: 'name', header: 'Run', width: 1, cell: ({ name }) => <b>{name}</b> },
  {
    ...{ id: 'cost', header: 'Cost', width: 1, cell: ({ cost }) => `$${cost}` },
    value: ({ cost }) => cost,
  },
  { id: 'at', header: 'When', width: 1, hidden: true, cell: ({ at }) => <RelativeTime at={at} /> },
];

const ROWS: readonly Row[] = [
  { name: 'train', cost: 1.5, at: '2026-11-26T12:00:00Z' },
  { name: '=1+cmd|"x"!A1', cost: null, at: '2026-11-26T13:00:00Z' },
];

it('writes numbers as numbers, times in full, and all columns', () => {
  expect(exportText(ROWS, COLUMNS, 'csv')).toBe(
    'Run,Cost,When\r\n' +
      'train,1.5,2026-11-26T12:00:00Z\r\n' +
      `"'=1+cmd|""x""!A1",,2026-11-26T13:00:00Z\r\n`,
  );
  expect(JSON.parse(exportText(ROWS, COLUMNS, 'json'))).toEqual([
    { name: 'train', cost: 1.5, at: '2026-11-26T12:00:00Z' },
    { name: '=1+cmd|"x"!A1', cost: null, at: '2026-11-26T13:00:00Z' },
  ]);
});

it.each([
  ['=SUM(A1)', "'=SUM(A1)"],
  ['+1', "'+1"],
  ['-2+3', "'-2+3"],
  ['@x', "'@x"],
  [' =x', "' =x"],
  ['\u0000=x', "'\u0000=x"],
  ['\t=x', `"'\t=x"`],
  ['＝x', "'＝x"],
  ['a,b', '"a,b"'],
  ['two\nlines', '"two\nlines"'],
  ['plain-name', 'plain-name'],
  [-3, '-3'],
])('the text %j becomes the field %s', (value, field) => {
  expect(csvField(value)).toBe(field);
});
