import { Undo2 } from 'lucide-react';
import { useMemo } from 'react';
import { UNDO_KEY, useDelayedStops, useUndoStop } from '../domain/runs/delayed-stops-context.tsx';
import { useLatest } from '../ui/use-latest.ts';
import { useCommands } from './commands/command-context.tsx';

/** Undoes the latest stop by its key, on whatever page the reader is meanwhile. */
export function UndoStopCommand() {
  const isPossible = useDelayedStops().length > 0;
  const undo = useLatest(useUndoStop());
  useCommands(
    useMemo(
      () => [
        {
          id: 'stop.undo',
          label: 'Undo the stop',
          group: 'This page' as const,
          keys: UNDO_KEY,
          icon: Undo2,
          when: () => isPossible,
          run: () => undo.current(),
        },
      ],
      [isPossible, undo],
    ),
  );
  return null;
}
