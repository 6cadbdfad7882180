import { useNavigate } from '@tanstack/react-router';
import { Copy, FileText, Square, Terminal } from 'lucide-react';
import { useCallback } from 'react';
import type { RunRow } from '../../data/runs/run-row.ts';
import { copyText } from '../../ui/copy/copy-text.ts';
import type { RowActionsOf } from '../../ui/table/row-action.ts';
import { useLatest } from '../../ui/use-latest.ts';
import { useStopWithUndo } from './delayed-stops-context.tsx';
import { runActions } from './run-actions.ts';

/** The actions for a run in a list. */
export function useRunRowActions(): RowActionsOf<RunRow> {
  const navigate = useNavigate();
  const stop = useLatest(useStopWithUndo());
  return useCallback(
    ({ id, project, name, ref, status }: RunRow) => {
      const { stop: stopReason, remove } = runActions(status);
      return [
        {
          label: 'Logs',
          icon: FileText,
          keys: 'l',
          quick: true,
          run: () =>
            void navigate({
              to: '/projects/$project/runs/$run/logs',
              params: { project, run: ref },
            }),
        },
        {
          label: 'Stop',
          icon: Square,
          keys: 's',
          quick: true,
          disabledReason: stopReason,
          run: () => stop.current([{ id, project, name }]),
        },
        {
          label: 'Copy the name',
          icon: Copy,
          quick: true,
          run: () => void copyText(name, 'The name'),
        },
        {
          label: 'Copy the ssh command',
          icon: Terminal,
          quick: true,
          disabledReason: remove === null ? 'The run has already ended' : null,
          run: () => void copyText(`ssh ${name}`, 'The command'),
        },
      ];
    },
    [navigate, stop],
  );
}
