import { useQuery } from '@tanstack/react-query';
import { recentRuns } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { MOST_COMPARED, type RunRef } from '../../domain/compare/run-refs.ts';
import { runLook } from '../../domain/runs/run-look.ts';
import { Button } from '../../ui/button/button.tsx';
import { Select } from '../../ui/select/select.tsx';

interface AddRunProps {
  /** Ids of the runs that are compared already. */
  readonly chosen: readonly string[];
  /** Null: no more runs fit. */
  readonly onAdd: ((ref: RunRef) => void) | null;
}

const NONE = '';

/** Chooses a further run among the latest ones. */
export function AddRun({ chosen, onAdd }: AddRunProps) {
  const { data: runs = [] } = useQuery(recentRuns(useClient()));
  if (onAdd === null) {
    return <Button disabledReason={`At most ${MOST_COMPARED} runs are compared`}>Add a run</Button>;
  }
  const others = runs.filter(({ id }) => !chosen.includes(id));
  return (
    <Select
      label="Add a run"
      value={NONE}
      options={[
        { value: NONE, label: 'Add a run' },
        ...others.map((row) => ({
          value: row.id,
          label: row.name,
          hint: `${row.project} · ${runLook(row).text}`,
        })),
      ]}
      onChange={(id) => {
        const row = others.find((one) => one.id === id);
        if (row !== undefined) onAdd({ project: row.project, ref: row.id });
      }}
    />
  );
}
