import type { ServiceFigures } from '@dstack/contract/wire';
import { useQueries } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import type { RunRow } from '../../data/runs/run-row.ts';
import { serviceFiguresQuery } from '../../data/services/service-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { hasFigures } from './service-figures.ts';

/** The figures of these services by the ids of the runs; `most`: the others are shown without. */
export function useServiceFigures(
  services: readonly RunRow[],
  most: number,
): ReadonlyMap<string, ServiceFigures> {
  const client = useClient();
  const shown = useMemo(() => services.filter(hasFigures).slice(0, most), [services, most]);
  return useQueries({
    queries: shown.map((row) => serviceFiguresQuery(client, row)),
    combine: useCallback(
      (results: readonly { readonly data: ServiceFigures | undefined }[]) =>
        new Map(
          shown.flatMap(({ id }, index) => {
            const data = results[index]?.data;
            return data === undefined ? [] : [[id, data] as const];
          }),
        ),
      [shown],
    ),
  });
}
