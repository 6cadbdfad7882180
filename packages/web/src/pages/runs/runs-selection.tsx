import { useNavigate } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { useCommands } from '../../app/commands/command-context.tsx';
import type { RunRow } from '../../data/runs/run-row.ts';
import { FEWEST_COMPARED, MOST_COMPARED, runRefs } from '../../domain/compare/run-refs.ts';
import { plural } from '../../domain/format/quantities.ts';
import { NameList } from '../../domain/links/name-link.tsx';
import { useStopWithUndo } from '../../domain/runs/delayed-stops-context.tsx';
import { type RunActions, runActions } from '../../domain/runs/run-actions.ts';
import { useStopRuns } from '../../domain/runs/use-stop-runs.ts';
import { Button } from '../../ui/button/button.tsx';
import { ConfirmDialog } from '../../ui/dialog/confirm-dialog.tsx';
import { useAnnounce } from '../../ui/feedback/announcer.tsx';
import { SelectionBar } from '../../ui/table/toolbar.tsx';
import { useLatest } from '../../ui/use-latest.ts';

interface RunsSelectionProps {
  readonly runs: readonly RunRow[];
  readonly onClear: () => void;
}

/** The actions on the selected runs. Those that have ended are left out, and counted in the dialog. */
export function RunsSelection({ runs, onClear }: RunsSelectionProps) {
  const [asked, setAsked] = useState<'stop' | 'abort' | null>(null);
  const navigate = useNavigate();
  const compare = () =>
    void navigate({
      to: '/compare',
      search: { runs: runRefs(runs.map(({ project, id }) => ({ project, ref: id }))) },
    });
  const latestCompare = useLatest(compare);
  const isComparable = compareReason(runs) === null;
  useCommands(
    useMemo(
      () => [
        {
          id: 'runs.compare',
          label: 'Compare the selected runs',
          group: 'This page' as const,
          when: () => isComparable,
          run: () => latestCompare.current(),
        },
      ],
      [isComparable, latestCompare],
    ),
  );
  return (
    <SelectionBar count={runs.length} noun="run" onClear={onClear}>
      <Button size="sm" disabledReason={reasonFor(runs, 'stop')} onClick={() => setAsked('stop')}>
        Stop
      </Button>
      <Button size="sm" disabledReason={reasonFor(runs, 'abort')} onClick={() => setAsked('abort')}>
        Abort
      </Button>
      <Button size="sm" disabledReason={compareReason(runs)} onClick={compare}>
        Compare
      </Button>
      <StopDialog runs={runs} action={asked} onClose={() => setAsked(null)} onDone={onClear} />
    </SelectionBar>
  );
}

function compareReason({ length }: readonly RunRow[]): string | null {
  if (length < FEWEST_COMPARED) return 'Select a second run to compare with';
  return length > MOST_COMPARED ? `At most ${MOST_COMPARED} runs are compared` : null;
}

function reasonFor(runs: readonly RunRow[], action: keyof RunActions): string | null {
  const reasons = runs.map(({ status }) => runActions(status)[action]);
  return reasons.includes(null) ? null : (reasons[0] ?? null);
}

interface StopDialogProps {
  readonly runs: readonly RunRow[];
  readonly action: 'stop' | 'abort' | null;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function StopDialog({ runs, action, onClose, onDone }: StopDialogProps) {
  const stopRuns = useStopRuns();
  const stopWithUndo = useStopWithUndo();
  const announce = useAnnounce();
  // Keeps its text while the dialog fades out.
  const [shown, setShown] = useState<'stop' | 'abort'>('stop');
  if (action !== null && action !== shown) setShown(action);
  const affected = runs.filter(({ status }) => runActions(status)[shown] === null);
  const left = runs.length - affected.length;
  const verb = shown === 'stop' ? 'Stop' : 'Abort';
  const confirm = async () => {
    if (shown === 'stop') {
      stopWithUndo(affected.map(({ id, project, name }) => ({ id, project, name })));
    } else {
      await stopRuns(affected, true);
      announce(`Abort requested for ${plural(affected.length, 'run')}`);
    }
    onDone();
  };
  return (
    <ConfirmDialog
      open={action !== null}
      onClose={onClose}
      title={`${verb} ${plural(affected.length, 'run')}?`}
      action={verb}
      onConfirm={confirm}
    >
      <p>
        {shown === 'stop'
          ? 'The processes are asked to end, and get the time that their configuration allows.'
          : 'The processes are killed at once. What they have not saved is lost.'}
      </p>
      <NameList names={affected.map(({ name, project }) => `${project}/${name}`)} />
      {left === 0 ? null : (
        <p>
          {plural(left, 'selected run')} {left === 1 ? 'is' : 'are'} left as{' '}
          {left === 1 ? 'it is' : 'they are'}.
        </p>
      )}
    </ConfirmDialog>
  );
}
