import type { ServiceTrafficSum } from '@dstack/contract/wire';
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { RunRow } from '../../data/runs/run-row.ts';
import { servicesTrafficQuery } from '../../data/services/service-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { hasFigures } from './service-figures.ts';

/** The figures of these services by the ids of the runs; `most`: the others are shown without. */
export function useServiceFigures(
  services: readonly RunRow[],
  most: number,
): ReadonlyMap<string, ServiceTrafficSum> {
  const client = useClient();
  const projects = useMemo(
    () => [...Map.groupBy(services.filter(hasFigures).slice(0, most), ({ project }) => project)],
    [services, most],
  );
  return useQueries({
    queries: projects.map(([project, runs]) => {
      const names = runs.map(({ name }) => name).sort();
      return servicesTrafficQuery(client, project, names);
    }),
    combine: figuresById,
  });
}

function figuresById(
  results: readonly { readonly data: readonly ServiceTrafficSum[] | undefined }[],
): ReadonlyMap<string, ServiceTrafficSum> {
  return new Map(results.flatMap(({ data = [] }) => data.map((one) => [one.run_id, one] as const)));
}
