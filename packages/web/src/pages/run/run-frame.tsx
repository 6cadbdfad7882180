import type { Run } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { runRow } from '../../data/runs/run-row.ts';
import { hourlyText } from '../../domain/format/quantities.ts';
import { backendText, placedText } from '../../domain/format/resources.ts';
import { useDelayedStops } from '../../domain/runs/delayed-stops-context.tsx';
import { runLook } from '../../domain/runs/run-look.ts';
import { withDelayedStops } from '../../domain/runs/with-delayed-stops.ts';
import { CopyButton } from '../../ui/copy/copy-button.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { useStatusAnnouncement } from '../../ui/status/use-status-announcement.ts';
import { TabLinks, tabClass } from '../../ui/tabs/tab-links.tsx';
import { Elapsed, RelativeTime } from '../../ui/time/time.tsx';
import styles from './run.module.css';
import { RunActionsBar } from './run-actions-bar.tsx';
import { RunCost } from './run-cost.tsx';
import { RunNoticesView } from './run-notices-view.tsx';
import { TerminalKeeper } from './terminal-keeper.tsx';
import { useRunCommands } from './use-run-commands.ts';

export interface RunFrameProps {
  readonly run: Run;
  /** Above the tabs. */
  readonly notice: ReactNode;
  readonly children: ReactNode;
}

export const RUN_TABS = [
  ['/projects/$project/runs/$run', 'Overview'],
  ['/projects/$project/runs/$run/logs', 'Logs'],
  ['/projects/$project/runs/$run/terminal', 'Terminal'],
  ['/projects/$project/runs/$run/metrics', 'Metrics'],
  ['/projects/$project/runs/$run/events', 'Events'],
  ['/projects/$project/runs/$run/configuration', 'Configuration'],
  ['/projects/$project/runs/$run/inspect', 'Inspect'],
] as const;

/** Header and tabs of a run. */
export function RunFrame({ run, notice, children }: RunFrameProps) {
  const stops = useDelayedStops();
  const row = runRow(run);
  const [state = row] = withDelayedStops([row], stops);
  const look = runLook(state);
  useRunCommands(run);
  useStatusAnnouncement(row.name, look.text);
  const params = { project: run.project_name, run: row.ref };
  return (
    <PageFrame
      title={
        <span className={styles.title}>
          <bdi>{row.name}</bdi>
          <CopyButton text={row.name} label="Copy the name" />
        </span>
      }
      beside={<StatusBadge look={look} filled />}
      subtitle={<RunFacts row={row} />}
      actions={<RunActionsBar run={run} status={state.status} />}
    >
      {notice}
      <RunNoticesView run={run} />
      <TabLinks label="Parts of the run">
        {RUN_TABS.map(([to, label]) => (
          <Link
            key={to}
            to={to}
            params={params}
            activeOptions={{ exact: true, includeSearch: false }}
            className={tabClass}
          >
            {label}
          </Link>
        ))}
      </TabLinks>
      <TerminalKeeper key={run.id} run={run} />
      {children}
    </PageFrame>
  );
}

const TYPES = { task: 'Task', service: 'Service', 'dev-environment': 'Dev environment' };

function RunFacts({ row }: { readonly row: ReturnType<typeof runRow> }) {
  const place = backendText(row.backend, row.region);
  return (
    <ul className={styles.facts}>
      <li>
        {TYPES[row.type]} in <bdi>{row.project}</bdi> by <bdi>{row.user}</bdi>
      </li>
      {place === null ? null : (
        // Several jobs may be on different instances; their table has each.
        <li>{row.jobs > 1 ? `${row.jobs} jobs` : placedText(row.instanceType, place)}</li>
      )}
      <li>
        <Elapsed from={row.submittedAt} to={row.finishedAt} />
      </li>
      <li>
        submitted <RelativeTime at={row.submittedAt} />
      </li>
      {row.price === null ? null : (
        <li>
          {row.price === 0 && row.cost === 0 ? (
            'cost unknown'
          ) : (
            <>
              {hourlyText(row.price)}, <RunCost row={row} /> in total
            </>
          )}
        </li>
      )}
    </ul>
  );
}
