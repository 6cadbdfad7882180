import type { Fleet, Instance, RunPlan } from '@dstack/contract/wire';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { ChartNoAxesGantt, FlaskConical, SearchX } from 'lucide-react';
import { lazy, Suspense, useCallback, useMemo, useState } from 'react';
import { useFilterCommand } from '../../app/commands/use-filter-command.ts';
import { useListAddress } from '../../app/lists/resource-list.tsx';
import { fleetList } from '../../data/fleets/fleet-queries.ts';
import { projectList } from '../../data/projects/project-queries.ts';
import { useHasNoProject, useUsualProject } from '../../data/projects/usual-project.ts';
import { queueQuery } from '../../data/runs/queue-query.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import { type BoardBar, queueBars, triedBars } from '../../domain/capacity/board-bars.ts';
import { HORIZONS, type Horizon } from '../../domain/capacity/time-axis.ts';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import { useCareActions } from '../../domain/fleets/instance-care.tsx';
import { gpuText } from '../../domain/format/resources.ts';
import { NoProjectPage } from '../../domain/projects/no-project.tsx';
import { managersOnly, projectRights } from '../../domain/projects/project-rights.ts';
import { Button, buttonClass } from '../../ui/button/button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { SearchInput } from '../../ui/field/search-input.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { MenuAt } from '../../ui/menu/menu-at.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { filterByText } from '../../ui/table/text-filter.ts';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { useTicking } from '../../ui/time/clock.ts';
import styles from './board.module.css';
import { BoardChart, BoardLegend } from './board-chart.tsx';
import { type BoardRowData, boardRows } from './board-rows.ts';
import { BoardTable } from './board-table.tsx';

// It reads YAML, which the board does not.
const BoardTry = lazy(() =>
  import('./board-try.tsx').then((module) => ({ default: module.BoardTry })),
);

const route = getRouteApi('/shell/board');

/** The instances that a project can use, over time: their jobs, what is reserved, and what waits. */
export function BoardPage() {
  usePageTitle('Capacity board');
  const usual = useUsualProject();
  const hasNoProject = useHasNoProject();
  const chosen = useListAddress().project;
  const project = chosen ?? usual;
  if (project !== null)
    return <Board key={project} project={project} isChosen={project === chosen} />;
  if (hasNoProject) return <NoProjectPage title="Capacity board" />;
  return (
    <PageFrame title="Capacity board">
      <Skeleton lines={8} />
    </PageFrame>
  );
}

interface BoardProps {
  readonly project: string;
  /** By the reader; else it is the usual one. */
  readonly isChosen: boolean;
}

function Board({ project, isChosen }: BoardProps) {
  const client = useClient();
  const { q, set } = useListAddress();
  const { hours = '6', view } = route.useSearch();
  const searchInput = useFilterCommand('Instances');
  const fleets = useQuery(fleetList(client, { project, active: true }));
  const queue = useQuery({ ...queueQuery(client, project), placeholderData: keepPreviousData });
  const [isTrying, setTrying] = useState(false);
  const [plan, setPlan] = useState<RunPlan | null>(null);
  const rows = useRows({ fleets: fleets.data, queue: queue.data, q, plan });
  const care = useCare();
  const [menu, setMenu] = useState<{ row: BoardRowData; anchor: HTMLElement } | null>(null);
  const onMenu = useCallback(
    (row: BoardRowData, anchor: HTMLElement) => setMenu({ row, anchor }),
    [],
  );
  const hasWindows = fleets.data?.some(({ maintenance }) => maintenance !== undefined) === true;
  const isEmpty = rows?.length === 0 && q === '';
  return (
    <PageFrame
      title="Capacity board"
      subtitle={
        <>
          The instances that project <bdi>{project}</bdi> can use
          {isChosen ? '' : '. Choose a project to see those of another one'}
        </>
      }
      fixed={!isTrying}
      actions={
        isTrying ? null : (
          <Button icon={<FlaskConical size={15} />} onClick={() => setTrying(true)}>
            Try a configuration
          </Button>
        )
      }
    >
      <div className={styles.area}>
        {isTrying ? (
          <Suspense fallback={<Skeleton lines={6} />}>
            <BoardTry project={project} onPlan={setPlan} onClose={() => setTrying(false)} />
          </Suspense>
        ) : null}
        <Toolbar end={view === 'table' ? null : <BoardLegend {...{ isTrying, hasWindows }} />}>
          <SearchInput
            ref={searchInput}
            label="Filter instances"
            keys="/"
            value={q}
            onChange={(next) => set({ q: next || undefined })}
          />
          <Segments
            label="How it is shown"
            value={view ?? 'chart'}
            options={[
              ['chart', 'Chart'],
              ['table', 'Table'],
            ]}
            onChange={(next) => set({ view: next === 'table' ? next : undefined })}
          />
          {view === 'table' ? null : (
            <Segments<Horizon>
              label="Hours ahead"
              value={hours}
              options={HORIZONS.map((one) => [one, `${one} h`] as const)}
              onChange={(next) => set({ hours: next === '6' ? undefined : next })}
            />
          )}
        </Toolbar>
        {queue.error !== null && queue.data === undefined ? (
          <p className={styles.answerText}>What waits could not be loaded.</p>
        ) : null}
        {fleets.error !== null && fleets.data === undefined ? (
          <ErrorPanel
            title="The instances could not be loaded"
            error={fleets.error}
            onRetry={() => void fleets.refetch()}
          />
        ) : isEmpty ? (
          <NoInstances project={project} />
        ) : rows === undefined ? (
          <Skeleton lines={10} />
        ) : rows.length === 0 ? (
          <EmptyState
            icon={SearchX}
            title="No instance matches the filters"
            actions={<Button onClick={() => set({ q: undefined })}>Clear the filters</Button>}
          />
        ) : view === 'table' ? (
          <BoardTable project={project} rows={rows} onMenu={onMenu} isFlowing={isTrying} />
        ) : (
          <BoardChart
            project={project}
            rows={rows}
            horizon={hours}
            onMenu={onMenu}
            isFlowing={isTrying}
          />
        )}
      </div>
      <MenuAt
        anchor={menu?.anchor ?? null}
        entries={
          menu === null
            ? []
            : care
                .actionsOf(menu.row.instance)
                .map(({ label, icon: Icon, disabledReason, run }) => ({
                  ...{ kind: 'action' as const, label, icon: <Icon size={15} /> },
                  ...{ disabled: disabledReason != null, onSelect: run },
                }))
        }
        onClose={() => setMenu(null)}
      />
      {care.dialog}
    </PageFrame>
  );
}

/** Managers of the project that owns an instance keep jobs off it. */
function useCare() {
  const user = useUser();
  const { data: projects } = useQuery(projectList(useClient()));
  return useCareActions(({ project_name }: Instance) => {
    if (user.global_role === 'admin') return null;
    const owner = projects?.find((one) => one.project_name === project_name);
    return owner === undefined
      ? 'It belongs to another project'
      : managersOnly(projectRights(owner, user));
  });
}

interface Sources {
  readonly fleets: readonly Fleet[] | undefined;
  readonly queue: Parameters<typeof queueBars>[0] | undefined;
  readonly q: string;
  /** The plan of the configuration that is tried. */
  readonly plan: RunPlan | null;
}

function useRows({ fleets, queue, q, plan }: Sources) {
  const queued = useMemo(() => (queue === undefined ? NONE : queueBars(queue)), [queue]);
  // A plan is made for a moment: its bars begin in the minute in which it is shown.
  const now = useTicking((time) => Math.floor(time / 60_000) * 60_000);
  const tried = useMemo(() => {
    if (plan === null) return NONE;
    return triedBars(plan, plan.run_spec.run_name ?? 'this configuration', now);
  }, [plan, now]);
  return useMemo(
    () => fleets && filterByText(boardRows(fleets, queued, tried), q, textsOf),
    [fleets, queued, tried, q],
  );
}

const NONE: ReadonlyMap<string, readonly BoardBar[]> = new Map();

const textsOf = ({ instance, queued }: BoardRowData) => [
  instance.name,
  instance.project_name,
  instance.hostname,
  instance.instance_type && gpuText(instance.instance_type.resources),
  instanceLook(instance).text,
  ...queued.map(({ name }) => name),
];

function NoInstances({ project }: { readonly project: string }) {
  return (
    <EmptyState
      icon={ChartNoAxesGantt}
      title="No instances now"
      actions={
        <Link
          to="/projects/$project/fleets/add"
          params={{ project }}
          className={buttonClass({ variant: 'primary' })}
        >
          New fleet
        </Link>
      }
    >
      <p>
        The board shows the instances of the fleets that project <bdi>{project}</bdi> has or
        imports, with their jobs and what waits for them.
      </p>
    </EmptyState>
  );
}
