import type { Run } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { Columns3, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { lazy, Suspense } from 'react';
import { configurationRows } from '../../domain/compare/configuration-rows.ts';
import { runLabels } from '../../domain/compare/run-labels.ts';
import { FEWEST_COMPARED, type RunRef } from '../../domain/compare/run-refs.ts';
import { plural } from '../../domain/format/quantities.ts';
import { Button } from '../../ui/button/button.tsx';
import { visibleText } from '../../ui/code/visible-text.ts';
import { Banner } from '../../ui/feedback/banner.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { errorText, isMissingError } from '../../ui/feedback/error-text.ts';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { AddRun } from './add-run.tsx';
import styles from './compare.module.css';
import type { ComparedJobs } from './compare-charts.tsx';
import { type ComparedRun, CompareTable } from './compare-table.tsx';
import { runFigures } from './run-figures.tsx';

// They are below the tables.
const CompareCharts = lazy(() =>
  import('./compare-charts.tsx').then((module) => ({ default: module.CompareCharts })),
);

/** A run that the address names. */
export interface CompareSlot {
  readonly ref: RunRef;
  /** Undefined until it is loaded. */
  readonly run: Run | undefined;
  /** Why it could not be loaded; null: it could, or is not yet. */
  readonly error: unknown;
  readonly onRetry: () => void;
  readonly onRemove: () => void;
}

export interface CompareViewProps {
  readonly slots: readonly CompareSlot[];
  readonly keys: 'differing' | 'all';
  readonly onKeys: (keys: 'differing' | 'all') => void;
  readonly jobs: ComparedJobs;
  readonly onJobs: (jobs: ComparedJobs) => void;
  /** Null: no more runs fit. */
  readonly onAdd: ((ref: RunRef) => void) | null;
}

export function CompareView({ slots, keys, onKeys, jobs, onJobs, onAdd }: CompareViewProps) {
  const loaded = slots.flatMap(({ run, onRemove }) => (run === undefined ? [] : { run, onRemove }));
  const runs = loaded.map(({ run }) => run);
  const labels = runLabels(runs);
  const columns = loaded.map(({ run, onRemove }, index) => ({
    ...{ run, onRemove },
    label: labels[index] ?? '',
  }));
  const failed = slots.filter(({ error }) => error !== null);
  const isLoading = slots.length > loaded.length + failed.length;
  return (
    <PageFrame
      title="Compare runs"
      actions={<AddRun chosen={runs.map(({ id }) => id)} onAdd={onAdd} />}
    >
      {failed.map((slot) => (
        <Problem key={`${slot.ref.project}/${slot.ref.ref}`} slot={slot} />
      ))}
      {isLoading && loaded.length === 0 ? <Skeleton lines={8} /> : null}
      {loaded.length + failed.length < FEWEST_COMPARED && !isLoading ? (
        <EmptyState icon={Columns3} title={loaded.length === 0 ? 'No runs chosen' : 'One more run'}>
          <p>
            Add runs with the button above, or select two to six of them in the{' '}
            <Link to="/runs" className={styles.link}>
              list of runs
            </Link>
            .
          </p>
        </EmptyState>
      ) : null}
      {loaded.length === 0 ? null : (
        <>
          <Panel title="Figures" flush>
            <CompareTable label="Figures" columns={columns} rows={runFigures(runs)} removable />
          </Panel>
          <ConfigurationPanel columns={columns} keys={keys} onKeys={onKeys} />
          <Suspense fallback={<Skeleton lines={6} />}>
            <CompareCharts columns={columns} jobs={jobs} onJobs={onJobs} />
          </Suspense>
        </>
      )}
    </PageFrame>
  );
}

interface ConfigurationPanelProps extends Pick<CompareViewProps, 'keys' | 'onKeys'> {
  readonly columns: readonly ComparedRun[];
}

/** Longer values would push everything else from the page. */
const MOST_TEXT = 2000;

function ConfigurationPanel({ columns, keys, onKeys }: ConfigurationPanelProps) {
  const all = configurationRows(columns.map(({ run }) => run));
  const rows = keys === 'all' ? all : all.filter(({ differs }) => differs);
  return (
    <Panel
      title="Configuration"
      flush
      actions={
        <Segments
          label="Keys"
          value={keys}
          options={[
            ['differing', 'Differences'],
            ['all', 'All'],
          ]}
          onChange={onKeys}
        />
      }
    >
      {rows.length === 0 ? (
        <p className={styles.none}>
          {columns.length < FEWEST_COMPARED
            ? 'Differences are shown as soon as there is a second run.'
            : `The configurations are the same: ${plural(all.length, 'key')}.`}
        </p>
      ) : (
        <CompareTable
          label="Configuration"
          columns={columns}
          rows={rows.map(({ key, values, differs }) => ({
            label: <code>{visibleText(key)}</code>,
            id: key,
            differs: differs && keys === 'all',
            cells: values.map(valueCell),
          }))}
        />
      )}
    </Panel>
  );
}

function valueCell(value: string | null): ReactNode {
  if (value === null) return <span className={styles.absent}>not set</span>;
  return <span className={styles.value}>{visibleText(shortened(value))}</span>;
}

function shortened(value: string): string {
  if (value.length <= MOST_TEXT) return value;
  return `${value.slice(0, MOST_TEXT)}… (${plural(value.length - MOST_TEXT, 'more character')})`;
}

/** Why a run is not among the compared ones. */
function Problem({ slot }: { readonly slot: CompareSlot }) {
  const { ref, error, onRetry, onRemove } = slot;
  const name = ref.project === '' ? ref.ref : `${ref.project}/${ref.ref}`;
  const { kind, what, next } = errorText(error);
  return (
    <div role="alert">
      <Banner
        tone="warning"
        icon={TriangleAlert}
        actions={
          <>
            {kind === 'missing' || kind === 'forbidden' ? null : (
              <Button size="sm" onClick={onRetry}>
                Try again
              </Button>
            )}
            <Button size="sm" onClick={onRemove} aria-label={`Remove ${name}`}>
              Remove
            </Button>
          </>
        }
      >
        {isMissingError(error) ? (
          <>
            There is no run <bdi>{name}</bdi>. It may have been deleted; others are found by{' '}
            <code>project/name</code>.
          </>
        ) : (
          <>
            <bdi>{name}</bdi> could not be loaded: {visibleText(what)} {next}
          </>
        )}
      </Banner>
    </div>
  );
}
