import { Copy, Pause, Play, Square } from 'lucide-react';
import { useCallback } from 'react';
import type { QueueRow } from '../../domain/queue/queue-rows.ts';
import { useQueueMoves } from '../../domain/queue/use-queue-moves.ts';
import { useStopWithUndo } from '../../domain/runs/delayed-stops-context.tsx';
import { copyText } from '../../ui/copy/copy-text.ts';
import type { RowAction, RowActionsOf } from '../../ui/table/row-action.ts';
import { useLatest } from '../../ui/use-latest.ts';

/** A run that the reader may see. */
export interface NamedRow {
  readonly id: string;
  readonly project: string;
  readonly name: string;
}

export function namedRows(rows: readonly QueueRow[]): readonly NamedRow[] {
  const runs = rows.flatMap(({ id, project, name }) =>
    id === null || project === null ? [] : [{ id, project, name }],
  );
  return [...new Map(runs.map((run) => [run.id, run])).values()];
}

/** The actions for a run in the queue, or kept out of it. */
export function useQueueRowActions(): RowActionsOf<QueueRow> {
  const moves = useQueueMoves();
  const stop = useLatest(useStopWithUndo());
  return useCallback(
    (row: QueueRow): readonly RowAction[] => {
      const [run] = namedRows([row]);
      if (run === undefined) return [];
      const hold: RowAction = {
        ...{ label: 'Hold', icon: Pause, keys: 'h', quick: true },
        run: () => void moves.hold([run]),
      };
      const release: RowAction = {
        ...{ label: 'Release', icon: Play, keys: 'h', quick: true },
        disabledReason: row.isReleasable ? null : 'It is not held: it waits for other runs',
        run: () => void moves.release([run]),
      };
      return [
        row.place === null ? release : hold,
        {
          ...{ label: 'Stop', icon: Square, keys: 's', quick: true },
          run: () => stop.current([run]),
        },
        { label: 'Copy the name', icon: Copy, run: () => void copyText(run.name, 'The name') },
      ];
    },
    [moves, stop],
  );
}
