export interface BoardPlace {
  readonly row: number;
  /** 0: the name of the instance; from 1: its bars. -1: something else in the row. */
  readonly stop: number;
}

interface BoardSize {
  readonly rows: number;
  /** The number of stops in the row: its name and its bars. */
  readonly stops: number;
}

/** Where a key leads to; null: it does not move. */
export function boardStep(
  key: string,
  at: BoardPlace,
  { rows, stops }: BoardSize,
): BoardPlace | null {
  const stop = Math.max(0, at.stop);
  const inRow = (next: number) => (next < 0 || next >= stops ? null : { row: at.row, stop: next });
  const toRow = (row: number) => ({ row: Math.min(rows - 1, Math.max(0, row)), stop });
  switch (key) {
    case 'ArrowRight':
    case 'l':
      return inRow(stop + 1);
    case 'ArrowLeft':
    case 'h':
      return inRow(stop - 1);
    case 'ArrowDown':
    case 'j':
      return toRow(at.row + 1);
    case 'ArrowUp':
    case 'k':
      return toRow(at.row - 1);
    case 'Home':
      return { row: 0, stop: 0 };
    case 'End':
      return { row: rows - 1, stop: 0 };
    default:
      return null;
  }
}
