import type { Run } from '@dstack/contract/wire';
import type { ReactNode } from 'react';
import { type RunRow, runRow } from '../../data/runs/run-row.ts';
import { exitText } from '../../domain/compare/exit-text.ts';
import { hourlyText } from '../../domain/format/quantities.ts';
import { backendText, gpuText, instancesText } from '../../domain/format/resources.ts';
import { runCostText } from '../../domain/runs/run-cost.ts';
import { runLook } from '../../domain/runs/run-look.ts';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { Elapsed, RelativeTime } from '../../ui/time/time.tsx';
import type { CompareRow } from './compare-table.tsx';

type Figure = readonly [label: string, of: (row: RunRow, run: Run) => ReactNode];

const FIGURES: readonly Figure[] = [
  ['Status', (row) => <StatusBadge look={runLook(row)} />],
  ['Deleted', (_, run) => (run.deleted === true ? 'yes' : null)],
  ['Exit code', (_, run) => exitText(run)],
  ['Duration', (row) => <Elapsed from={row.submittedAt} to={row.finishedAt} />],
  ['Cost', (row) => (row.price === null ? null : runCostText(row))],
  ['Price', (row) => (row.price === null ? null : hourlyText(row.price))],
  ['GPUs', (row) => (row.resources === null ? null : gpuText(row.resources) || 'none')],
  ['Instance', (row) => instancesText(row.instances, row.instanceType)],
  ['Backend', (row) => backendText(row.backend, row.region)],
  ['Jobs', (row) => row.jobs],
  ['Submitted', (row) => <RelativeTime at={row.submittedAt} />],
  ['User', (row) => <bdi>{row.user}</bdi>],
  ['Project', (row) => <bdi>{row.project}</bdi>],
];

/** The status, duration, cost and other figures of the runs. Figures that no run has are left out. */
export function runFigures(runs: readonly Run[]): readonly CompareRow[] {
  const rows = runs.map((run) => ({ run, row: runRow(run) }));
  return FIGURES.map(([label, of]) => ({
    ...{ id: label, label },
    cells: rows.map(({ row, run }) => of(row, run)),
  }))
    .filter(({ cells }) => cells.some((cell) => cell !== null))
    .map((figure) => ({ ...figure, cells: figure.cells.map((cell) => cell ?? '–') }));
}
