import { isValidElement, type ReactNode } from 'react';
import type { TableColumn } from '../column.ts';

export type ExportedValue = string | number | null;

/**
 * The value of a cell in an exported file: the one that its column states, or the text of the cell. An
 * element that shows a time or a status exports these.
 */
export function cellValue<Row>({ value, cell }: TableColumn<Row>, row: Row): ExportedValue {
  if (value !== undefined) return value(row);
  const text = textOf(cell(row)).trim();
  return text === '' ? null : text;
}

interface KnownProps {
  readonly at?: unknown;
  readonly look?: { readonly text?: unknown };
  readonly children?: ReactNode;
}

function textOf(node: ReactNode): string {
  if (typeof node === 'string' || typeof node === 'number') return String(node);
  if (Array.isArray(node)) return node.map(textOf).join('');
  if (!isValidElement<KnownProps>(node)) return '';
  const { at, look, children } = node.props;
  if (typeof at === 'string') return at;
  if (typeof look?.text === 'string') return look.text;
  return textOf(children);
}
