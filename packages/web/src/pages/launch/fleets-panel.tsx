import type { RunSpec } from '@dstack/contract/wire';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { planFleetsQuery } from '../../data/launch/launch-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { CandidateList } from '../../domain/explain/candidate-list.tsx';
import { groupedCandidates } from '../../domain/explain/explanation-text.ts';
import { Panel } from '../../ui/panel/panel.tsx';

interface FleetsPanelProps {
  readonly project: string;
  readonly spec: RunSpec;
}

/** Which fleet would take the run, which others could, and why the rest refuse it. */
export function FleetsPanel({ project, spec }: FleetsPanelProps) {
  const { data } = useQuery({
    ...planFleetsQuery(useClient(), project, spec),
    placeholderData: keepPreviousData,
  });
  if (data === undefined || data.considered.length === 0) return null;
  return (
    <Panel title="Fleets">
      <CandidateList candidates={groupedCandidates(data.considered)} />
    </Panel>
  );
}
