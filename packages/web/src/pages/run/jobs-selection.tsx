import { useNavigate } from '@tanstack/react-router';
import { jobsParameter, MOST_MERGED } from '../../domain/runs/chosen-jobs.ts';
import { Button } from '../../ui/button/button.tsx';
import { SelectionBar } from '../../ui/table/toolbar.tsx';

interface JobsSelectionProps {
  readonly params: { readonly project: string; readonly run: string };
  readonly names: readonly string[];
  readonly onClear: () => void;
}

/** The actions for the selected jobs. */
export function JobsSelection({ params, names, onClear }: JobsSelectionProps) {
  const navigate = useNavigate();
  const reason =
    names.length > MOST_MERGED ? `The logs of at most ${MOST_MERGED} jobs are merged` : null;
  return (
    <SelectionBar count={names.length} noun="job" onClear={onClear}>
      <Button
        size="sm"
        disabledReason={reason}
        onClick={() =>
          void navigate({
            to: '/projects/$project/runs/$run/logs',
            params,
            search: { job: jobsParameter(names) },
          })
        }
      >
        {names.length === 1 ? 'Logs' : 'Merged logs'}
      </Button>
    </SelectionBar>
  );
}
