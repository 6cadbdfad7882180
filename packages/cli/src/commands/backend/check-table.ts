import type { BackendCheck } from '@dstack/contract/wire';
import type { Cli } from '../../context.ts';
import { renderTable } from '../../terminal/table.ts';

export const hasProblem = ({ status }: BackendCheck): boolean =>
  status === 'denied' || status === 'unreachable';

export function checkTable(list: readonly BackendCheck[], cli: Cli): string {
  return renderTable(
    [{ header: 'BACKEND', keep: true }, { header: 'STATE', keep: true }, { header: 'PROBLEM' }],
    list.map((one) => [one.backend, one.status.replace('_', ' '), one.problem ?? adviceIn(one)]),
    { width: cli.io.width, paint: cli.io.paint },
  );
}

/** The missing permissions of a backend that works, each with the feature that needs it. */
function adviceIn({ permissions }: BackendCheck): string {
  return permissions.flatMap(({ ok, problem }) => (ok && problem ? [problem] : [])).join('; ');
}
