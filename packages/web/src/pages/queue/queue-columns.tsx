import { NameLink } from '../../domain/links/name-link.tsx';
import { nameColumn } from '../../domain/lists/common-columns.tsx';
import { PriorityEditor } from '../../domain/queue/priority-editor.tsx';
import type { QueueRow } from '../../domain/queue/queue-rows.ts';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import type { TableColumn } from '../../ui/table/column.ts';
import { ROW_FOCUS } from '../../ui/table/row-navigation.ts';
import { Elapsed, RelativeTime } from '../../ui/time/time.tsx';
import styles from './queue.module.css';

/** Cards have no headers, so that their values have words. */
function columnsFor(isNarrow: boolean): Readonly<Record<string, TableColumn<QueueRow>>> {
  return {
    place: {
      ...{ id: 'place', header: 'Place', width: 60, align: 'end', locked: true, card: 'detail' },
      cell: ({ place }) => (isNarrow ? `place ${place}` : place),
      value: ({ place }) => place,
    },
    name: {
      ...nameColumn<QueueRow>('Run', 150, (row) => <Name row={row} />),
      value: ({ name }) => name,
    },
    project: {
      ...{ id: 'project', header: 'Project', width: 100 },
      cell: ({ project }) => project && <bdi>{project}</bdi>,
      value: ({ project }) => project,
    },
    user: {
      ...{ id: 'user', header: 'User', width: 100, yields: 3 },
      cell: ({ user }) => user && <bdi>{user}</bdi>,
      value: ({ user }) => user,
    },
    nodes: {
      ...{ id: 'nodes', header: 'Nodes', width: 64, yields: 4, align: 'end' },
      cell: ({ nodes }) => nodes,
    },
    priority: {
      ...{ id: 'priority', header: 'Priority', width: 84, align: 'end', card: 'detail' },
      cell: (row) => <Priority row={row} label={isNarrow} />,
      value: ({ priority }) => priority,
    },
    since: {
      ...{ id: 'since', header: 'Waiting', width: 96, yields: 2, align: 'end', card: 'detail' },
      cell: ({ since }) =>
        since && (
          <span title={new Date(since).toLocaleString('en-GB')}>
            {isNarrow ? 'waits ' : null}
            <Elapsed from={since} to={null} />
          </span>
        ),
      value: ({ since }) => since,
    },
    start: {
      ...{ id: 'start', header: 'Expected start', width: 150, locked: true, card: 'status' },
      cell: (row) => <Start row={row} isNarrow={isNarrow} />,
      value: ({ expectedStart }) => expectedStart,
    },
    why: {
      ...{ id: 'why', header: 'Waits for', width: 220, grow: true },
      cell: ({ why }) => why && <span title={why}>{why}</span>,
      value: ({ why }) => why,
    },
  };
}

const TABLE = columnsFor(false);
const CARDS = columnsFor(true);

const pick = (
  all: Readonly<Record<string, TableColumn<QueueRow>>>,
  ids: readonly string[],
): readonly TableColumn<QueueRow>[] => ids.flatMap((id) => all[id] ?? []);

const WAITING = [
  'place',
  'name',
  'project',
  'user',
  'nodes',
  'priority',
  'since',
  'start',
  'why',
] as const;
const KEPT = ['name', 'user', 'priority', 'since', 'why'] as const;

/** The same arrays each time, so that rows are not drawn again. */
export const QUEUE_COLUMNS = {
  waiting: { table: pick(TABLE, WAITING), cards: pick(CARDS, WAITING) },
  kept: { table: pick(TABLE, KEPT), cards: withWhy(pick(CARDS, KEPT)) },
} as const;

/** On a card there is no room for all: the reason is why the run is in this list. */
function withWhy(columns: readonly TableColumn<QueueRow>[]): readonly TableColumn<QueueRow>[] {
  return columns.map((column) => {
    const { card, ...rest } = column;
    if (column.id === 'why') return { ...rest, card: 'detail' };
    if (column.id === 'since') return { ...rest, card: 'status' };
    return column.id === 'priority' ? rest : column;
  });
}

function Name({ row }: { readonly row: QueueRow }) {
  const { id, project, name, replica } = row;
  if (id === null || project === null) {
    return (
      <span className={styles.nameless} tabIndex={-1} {...{ [ROW_FOCUS]: '' }}>
        {name}
      </span>
    );
  }
  return (
    <>
      <NameLink to="/projects/$project/runs/$run" params={{ project, run: name }}>
        {name}
      </NameLink>
      {replica === null ? null : <span className={styles.replica}> replica {replica}</span>}
    </>
  );
}

function Priority({ row, label }: { readonly row: QueueRow; readonly label: boolean }) {
  const { id, project, name, priority } = row;
  if (id === null || project === null || priority === null) return null;
  return (
    <>
      {label ? 'priority ' : null}
      <PriorityEditor project={project} run={name} priority={priority} />
    </>
  );
}

function Start({ row, isNarrow }: { readonly row: QueueRow; readonly isNarrow: boolean }) {
  const { expectedStart, isAbout, isReserved } = row;
  if (expectedStart === null) {
    return <span className={styles.unknown}>{isNarrow ? 'start not known' : 'not known'}</span>;
  }
  const text = (
    <>
      {isAbout ? 'about ' : null}
      <RelativeTime at={expectedStart} />
    </>
  );
  return (
    <span className={styles.start}>
      <span>{text}</span>
      {isReserved ? <StatusBadge look={RESERVED} /> : null}
    </span>
  );
}

const RESERVED = { tone: 'starting', icon: 'scheduled', text: 'reserved' } as const;
