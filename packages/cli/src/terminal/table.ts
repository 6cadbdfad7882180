import { plainLine, plainText } from '@dstack/contract/plain-text';
import type { Paint, Style } from './style.ts';
import { hangingText, longestWord, textWidth, wrapText } from './text-width.ts';

export interface Column {
  readonly header: string;
  /** Never wrapped (names, statuses). */
  readonly keep?: boolean;
  /**
   * The order of removal when the terminal is narrow: highest first; 0 (default) is never removed.
   */
  readonly optional?: number;
  /**
   * For the last column: with less room than this for wrapped text, it stands below each row
   * instead, without a header.
   */
  readonly below?: number;
}

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

export type TableRow = readonly (Cell | string)[];

export interface TableLayout {
  /** Columns of the terminal; null = not a terminal: whole values, one line a row. */
  readonly width: number | null;
  readonly paint: Paint;
}

const GAP = '  ';

/**
 * Lays out a table without borders, with one blank before each line. If the terminal is too narrow,
 * wrappable columns are wrapped first, then the least important columns are removed. No value is
 * cut.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly TableRow[],
  layout: TableLayout,
): string {
  const grid = rows.map((row) => row.map((cell) => toCell(cell, layout.width)));
  const fitting = fitColumns(columns, grid, layout.width);
  const below = textBelow(columns, grid, fitting);
  const others = columns.slice(0, below ?? columns.length);
  const visible = below === null ? fitting : fitColumns(others, grid, layout.width);
  const lines: string[] = [
    line(
      visible.map(({ index, width }) => ({
        text: pad(columns[index]?.header ?? '', width),
        style: 'bold',
      })),
      layout.paint,
    ),
  ];
  for (const row of grid) {
    lines.push(...rowLines(row, visible, layout.paint));
    const text = below === null ? '' : (row[below]?.text ?? '');
    if (text !== '') lines.push(`    ${hangingText(text, 4, layout.width)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Two columns, name and value, like the properties of a plan. */
export function renderProperties(
  properties: readonly (readonly [name: string, value: string])[],
  { width, paint }: TableLayout,
): string {
  const names = Math.max(0, ...properties.map(([name]) => textWidth(name)));
  const column = 1 + names + GAP.length;
  return properties
    .map(([name, value]) => {
      // Further lines are indented below the first one, so that none looks like another property.
      const shown = hangingText(plainText(value), column, width);
      return ` ${paint('bold', pad(name, names))}${GAP}${shown}`.trimEnd();
    })
    .map((text) => `${text}\n`)
    .join('');
}

/** The index of a last column that has too little room; null = none. */
function textBelow(
  columns: readonly Column[],
  grid: readonly (readonly Cell[])[],
  fitting: readonly Placed[],
): number | null {
  const last = columns.length - 1;
  const { below } = columns[last] ?? {};
  const placed = fitting.find(({ index }) => index === last);
  if (below === undefined || placed === undefined || placed.width >= below) return null;
  return placed.width < columnWidth(columns, grid, last, textWidth) ? last : null;
}

interface Placed {
  readonly index: number;
  readonly width: number;
}

function fitColumns(
  columns: readonly Column[],
  grid: readonly (readonly Cell[])[],
  limit: number | null,
): Placed[] {
  let indexes = columns.map((_, index) => index);
  for (;;) {
    const natural = indexes.map((i) => columnWidth(columns, grid, i, textWidth));
    if (limit === null || totalWidth(natural) <= limit) return place(indexes, natural);
    const shrunk = shrink(columns, grid, indexes, natural, limit);
    if (shrunk !== null) return place(indexes, shrunk);
    const leaving = mostOptional(columns, indexes);
    if (leaving === null) return place(indexes, minimal(columns, grid, indexes, natural));
    indexes = indexes.filter((i) => i !== leaving);
  }
}

/** Narrows the widest wrapped column repeatedly until the line fits; null if it cannot. */
function shrink(
  columns: readonly Column[],
  grid: readonly (readonly Cell[])[],
  indexes: readonly number[],
  natural: readonly number[],
  limit: number,
): number[] | null {
  const least = minimal(columns, grid, indexes, natural);
  if (totalWidth(least) > limit) return null;
  const widths = [...natural];
  while (totalWidth(widths) > limit) {
    let widest = -1;
    widths.forEach((width, at) => {
      if (width > (least[at] ?? 0) && width > (widths[widest] ?? 0)) widest = at;
    });
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function minimal(
  columns: readonly Column[],
  grid: readonly (readonly Cell[])[],
  indexes: readonly number[],
  natural: readonly number[],
): number[] {
  return indexes.map((i, at) =>
    columns[i]?.keep ? (natural[at] ?? 0) : columnWidth(columns, grid, i, longestWord),
  );
}

function columnWidth(
  columns: readonly Column[],
  grid: readonly (readonly Cell[])[],
  index: number,
  measure: (text: string) => number,
): number {
  const cells = grid.map((row) => measure(row[index]?.text ?? ''));
  return Math.max(textWidth(columns[index]?.header ?? ''), ...cells);
}

function mostOptional(columns: readonly Column[], indexes: readonly number[]): number | null {
  let found: number | null = null;
  let rank = 0;
  for (const i of indexes) {
    const optional = columns[i]?.optional ?? 0;
    if (optional > rank) {
      found = i;
      rank = optional;
    }
  }
  return found;
}

function totalWidth(widths: readonly number[]): number {
  return 1 + widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
}

function place(indexes: readonly number[], widths: readonly number[]): Placed[] {
  return indexes.map((index, at) => ({ index, width: widths[at] ?? 0 }));
}

function rowLines(row: readonly Cell[], visible: readonly Placed[], paint: Paint): string[] {
  const wrapped = visible.map(({ index, width }) => {
    const cell = row[index] ?? { text: '' };
    // Leading blanks are indentation of sub-rows and must survive wrapping.
    const fits = textWidth(cell.text) <= width && !cell.text.includes('\n');
    return { cell, width, lines: fits ? [cell.text] : wrapText(cell.text, width) };
  });
  const height = Math.max(1, ...wrapped.map((w) => w.lines.length));
  return Array.from({ length: height }, (_, n) =>
    line(
      wrapped.map(({ cell, width, lines }) => ({
        text: pad(lines[n] ?? '', width),
        style: cell.style ?? 'plain',
      })),
      paint,
    ),
  );
}

function line(cells: readonly { text: string; style: Style }[], paint: Paint): string {
  const last = cells.length - 1 - [...cells].reverse().findIndex((c) => c.text.trim() !== '');
  const used = cells.slice(0, last + 1);
  return ` ${used
    .map((c, at) => paint(c.style, at === used.length - 1 ? c.text.trimEnd() : c.text))
    .join(GAP)}`.trimEnd();
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

/** Measured as printed. Without a terminal a row is always one line. */
function toCell(cell: Cell | string, width: number | null): Cell {
  const given = typeof cell === 'string' ? { text: cell } : cell;
  return { ...given, text: width === null ? plainLine(given.text) : plainText(given.text) };
}
