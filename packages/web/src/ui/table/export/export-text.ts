import type { TableColumn } from '../column.ts';
import { cellValue, type ExportedValue } from './cell-value.ts';

export type ExportFormat = 'csv' | 'json';

/** All columns of the catalogue, also those that are switched off. */
export function exportText<Row>(
  rows: readonly Row[],
  catalogue: readonly TableColumn<Row>[],
  format: ExportFormat,
): string {
  const columns = catalogue.filter(({ notExported }) => notExported !== true);
  if (format === 'json') {
    const objects = rows.map((row) =>
      Object.fromEntries(columns.map((column) => [column.id, cellValue(column, row)])),
    );
    return `${JSON.stringify(objects, null, 2)}\n`;
  }
  const lines = [
    columns.map(({ header }) => csvField(header)),
    ...rows.map((row) => columns.map((column) => csvField(cellValue(column, row)))),
  ];
  return lines.map((fields) => `${fields.join(',')}\r\n`).join('');
}

/** Spreadsheets calculate texts that begin so; names and errors come from users and their jobs. */
const FORMULA = /^[\s\p{Cc}]*[=+\-@＝＋－＠|%]/u;

export function csvField(value: ExportedValue): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const safe = FORMULA.test(value) || /^[\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n\t]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
