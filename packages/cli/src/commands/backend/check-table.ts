import type { BackendCheck } from '@dstack/contract/wire';
import type { Cli } from '../../context.ts';
import { renderTable } from '../../terminal/table.ts';

export const hasProblem = ({ status }: BackendCheck): boolean =>
  status === 'denied' || status === 'unreachable';

export function checkTable(list: readonly BackendCheck[], cli: Cli): string {
  return renderTable(
    [{ header: 'BACKEND', keep: true }, { header: 'STATE', keep: true }, { header: 'PROBLEM' }],
    list.map(({ backend, status, problem }) => [backend, status.replace('_', ' '), problem ?? '']),
    { width: cli.io.width, paint: cli.io.paint },
  );
}
