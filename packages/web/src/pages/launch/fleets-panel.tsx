import type { RunSpec } from '@dstack/contract/wire';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { planFleetsQuery } from '../../data/launch/launch-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { CandidateList } from '../../domain/explain/candidate-list.tsx';
import { groupedCandidates } from '../../domain/explain/explanation-text.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import styles from './launch.module.css';

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
  if (data === undefined) return null;
  if (data.considered.every(({ fleet }) => fleet === null)) {
    return (
      <Panel title="Fleets">
        <p className={styles.notice}>
          Project {project} has no fleet that the run could use.{' '}
          <Link to="/projects/$project/fleets/add" params={{ project }} className={styles.link}>
            Create a fleet
          </Link>
        </p>
      </Panel>
    );
  }
  return (
    <Panel title="Fleets">
      <CandidateList candidates={groupedCandidates(data.considered)} />
    </Panel>
  );
}
