import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { ListOrdered, Pause } from 'lucide-react';
import { useMemo } from 'react';
import { ResourceList, useListAddress } from '../../app/lists/resource-list.tsx';
import { useHasNoProject, useUsualProject } from '../../data/projects/usual-project.ts';
import { queueQuery } from '../../data/runs/queue-query.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { count } from '../../domain/format/quantities.ts';
import { NoProjectPage } from '../../domain/projects/no-project.tsx';
import { keptBackRows, type QueueRow, waitingRows } from '../../domain/queue/queue-rows.ts';
import { useQueueMoves } from '../../domain/queue/use-queue-moves.ts';
import { useDelayedStops, useStopWithUndo } from '../../domain/runs/delayed-stops-context.tsx';
import { Button, buttonClass } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { useNarrow } from '../../ui/table/use-narrow.ts';
import styles from './queue.module.css';
import { QUEUE_COLUMNS } from './queue-columns.tsx';
import { namedRows, useQueueRowActions } from './use-queue-row-actions.ts';

const route = getRouteApi('/shell/queue');

/** The runs that wait for capacity which a project can use, in their order. */
export function QueuePage() {
  const client = useClient();
  const { show } = route.useSearch();
  const address = useListAddress();
  const usual = useUsualProject();
  const hasNoProject = useHasNoProject();
  const project = address.project ?? usual;
  const isKept = show === 'kept';
  const query = useQuery({
    ...queueQuery(client, project ?? ''),
    enabled: project !== null,
    placeholderData: keepPreviousData,
  });
  const { data } = query;
  const stopped = useStoppedIds();
  const rows = useMemo(() => {
    if (data === undefined) return undefined;
    const all = isKept ? keptBackRows(project ?? '', data) : waitingRows(data);
    return all.filter(({ id }) => id === null || !stopped.has(id));
  }, [data, isKept, project, stopped]);
  const rowActions = useQueueRowActions();
  const columns = QUEUE_COLUMNS[isKept ? 'kept' : 'waiting'][useNarrow() ? 'cards' : 'table'];
  if (hasNoProject && project === null) return <NoProjectPage title="Queue" />;
  return (
    <ResourceList
      title="Queue"
      noun={isKept ? 'kept run' : 'waiting run'}
      address={address}
      query={query}
      rows={rows}
      textsOf={textsOf}
      columns={columns}
      rowId={({ key }) => key}
      rowName={({ name }) => name}
      rowActions={rowActions}
      groups={GROUPS}
      notice={
        data === undefined || project === null ? null : (
          <Notice project={project} isKept={isKept} left={leftOut(data, isKept)} />
        )
      }
      filters={
        <Segments
          label="Which runs"
          value={isKept ? 'kept' : 'waiting'}
          options={[
            ['waiting', withCount('In the queue', data?.total)],
            ['kept', withCount('Kept back', data?.kept_back_total)],
          ]}
          onChange={(next) => address.set({ show: next === 'kept' ? next : undefined })}
        />
      }
      selectionActions={(chosen, onDone) => (
        <SelectionActions chosen={chosen} isKept={isKept} onDone={onDone} />
      )}
      empty={isKept ? <NoneKept /> : <NoneWaiting />}
    />
  );
}

/** Runs whose stop can still be undone. */
function useStoppedIds(): ReadonlySet<string> {
  const stops = useDelayedStops();
  return useMemo(() => new Set(stops.flatMap(({ runs }) => runs.map(({ id }) => id))), [stops]);
}

const withCount = (text: string, of: number | undefined) =>
  of === undefined ? text : `${text} ${count(of)}`;

function leftOut(
  queue: {
    runs: readonly unknown[];
    total: number;
    kept_back: readonly unknown[];
    kept_back_total: number;
  },
  isKept: boolean,
): number {
  return isKept ? queue.kept_back_total - queue.kept_back.length : queue.total - queue.runs.length;
}

function Notice(props: {
  readonly project: string;
  readonly isKept: boolean;
  readonly left: number;
}) {
  const { project, isKept, left } = props;
  return (
    <p className={styles.notice}>
      {isKept ? (
        <>
          Runs of project <bdi>{project}</bdi> that are held, or wait for other runs, the oldest
          first.
        </>
      ) : (
        <>
          What waits for the capacity that project <bdi>{project}</bdi> can use, also runs of
          projects that share it.
        </>
      )}
      {left > 0 ? ` ${count(left)} more are not shown.` : ''}
    </p>
  );
}

function SelectionActions(props: {
  readonly chosen: readonly QueueRow[];
  readonly isKept: boolean;
  readonly onDone: () => void;
}) {
  const { chosen, isKept, onDone } = props;
  const moves = useQueueMoves();
  const stop = useStopWithUndo();
  const runs = namedRows(chosen);
  const releasable = namedRows(chosen.filter(({ isReleasable }) => isReleasable));
  const none = runs.length === 0 ? 'They are runs of other projects' : null;
  const move = async (moved: Promise<boolean>) => {
    if (await moved) onDone();
  };
  return (
    <>
      {isKept ? (
        <Button
          size="sm"
          disabledReason={releasable.length === 0 ? 'They wait for other runs' : null}
          onClick={() => void move(moves.release(releasable))}
        >
          Release
        </Button>
      ) : (
        <Button size="sm" disabledReason={none} onClick={() => void move(moves.hold(runs))}>
          Hold
        </Button>
      )}
      <Button
        size="sm"
        disabledReason={none}
        onClick={() => {
          stop(runs);
          onDone();
        }}
      >
        Stop
      </Button>
    </>
  );
}

function NoneWaiting() {
  return (
    <EmptyState
      icon={ListOrdered}
      title="No run waits"
      actions={
        <Link to="/runs/launch" className={buttonClass({ variant: 'primary' })}>
          Launch a run
        </Link>
      }
    >
      <p>
        A run that finds no free capacity waits here if its configuration has `retry`, with its
        place and its expected start. The same in a terminal:
      </p>
      <CommandBlock text="dstack queue" />
    </EmptyState>
  );
}

function NoneKept() {
  return (
    <EmptyState icon={Pause} title="No run is kept back">
      <p>
        Runs that a person holds, and those that wait for other runs by `depends_on`, are here until
        they may join the queue. To hold one:
      </p>
      <CommandBlock text="dstack hold my-run" />
    </EmptyState>
  );
}

const GROUPS = {
  project: { label: 'Project', of: ({ project }: QueueRow) => project ?? 'Other projects' },
  user: { label: 'User', of: ({ user }: QueueRow) => user ?? 'Others' },
  priority: {
    label: 'Priority',
    of: ({ priority }: QueueRow) => (priority === null ? 'Not shown' : String(priority)),
  },
};

const textsOf = (row: QueueRow) => [row.name, row.project, row.user, row.why];
