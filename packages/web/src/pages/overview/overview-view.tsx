import type { CostReport, Instance, Overview } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import type { RunRow } from '../../data/runs/run-row.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { TwoColumns } from '../../ui/panel/columns.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { ActiveRunsPanel } from './active-runs-panel.tsx';
import { FailuresPanel } from './failures-panel.tsx';
import { FirstSteps } from './first-steps.tsx';
import { GpusPanel } from './gpus-panel.tsx';
import { OverviewTiles } from './overview-tiles.tsx';
import { ServicesPanel } from './services-panel.tsx';
import { TroublePanel } from './trouble-panel.tsx';

export interface OverviewViewProps {
  /** Undefined while it is being loaded; `active` too. */
  readonly overview: Overview | undefined;
  readonly active: readonly RunRow[] | undefined;
  readonly cost: CostReport | undefined;
  readonly instances: readonly Instance[] | undefined;
  /** The project that commands name. */
  readonly project: string;
  readonly server: string;
}

export function OverviewView(props: OverviewViewProps) {
  const { overview, active, cost, instances, project, server } = props;
  const isNew = overview !== undefined && !(overview.has_runs && overview.has_fleets);
  return (
    <PageFrame
      title="Overview"
      actions={
        <Link to="/runs/launch" className={buttonClass({ variant: 'primary' })}>
          Launch a run
        </Link>
      }
    >
      {isNew ? (
        <FirstSteps
          hasFleets={overview.has_fleets}
          hasRuns={overview.has_runs}
          project={project}
          server={server}
        />
      ) : null}
      {overview?.has_runs === false ? null : (
        <>
          <OverviewTiles overview={overview} cost={cost} />
          <TwoColumns
            main={<ActiveRunsPanel runs={active} />}
            side={
              <>
                <TroublePanel instances={instances} />
                <ServicesPanel runs={active} />
                <FailuresPanel failures={overview?.failures} />
                {overview === undefined || overview.gpus.length === 0 ? null : (
                  <GpusPanel gpus={overview.gpus} />
                )}
              </>
            }
          />
        </>
      )}
    </PageFrame>
  );
}
