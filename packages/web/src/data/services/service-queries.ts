import type { Client } from '@dstack/client';
import type {
  AccessRecord,
  ModelUsageReport,
  ServiceFigures,
  ServiceTraffic,
  ServiceTrafficSum,
} from '@dstack/contract/wire';
import { keepPreviousData, queryOptions } from '@tanstack/react-query';

export interface NamedService {
  readonly project: string;
  readonly name: string;
}

/** Figures are about the last minute and change with every request, so that the stream does not carry them. */
const FIGURES_MS = 5000;

const REQUESTS_MS = 2000;

/** After an error: the server may not be connected to the gateway of the service. */
const FIGURES_AGAIN_MS = 30_000;

/** The requests of a service, as the server that answers or its gateway has counted them. */
export function serviceFiguresQuery(client: Client, { project, name }: NamedService) {
  return queryOptions<ServiceFigures>({
    queryKey: ['service', 'figures', project, name],
    queryFn: () => client.project(project).services.state(name),
    refetchInterval: ({ state }) => (state.error === null ? FIGURES_MS : FIGURES_AGAIN_MS),
    retry: false,
  });
}

/** The requests of a service in the last minute, by all servers and its gateway, and its replicas. */
export function serviceTrafficQuery(client: Client, { project, name }: NamedService) {
  return queryOptions<ServiceTraffic>({
    queryKey: ['service', 'traffic', project, name],
    queryFn: () => client.project(project).services.traffic(name),
    refetchInterval: ({ state }) => (state.error === null ? FIGURES_MS : FIGURES_AGAIN_MS),
    retry: false,
  });
}

/** The same of several services of a project, up to `MOST_TRAFFIC_SERVICES`, without their replicas. */
export function servicesTrafficQuery(client: Client, project: string, names: readonly string[]) {
  return queryOptions<readonly ServiceTrafficSum[]>({
    queryKey: ['service', 'traffic', project, names],
    queryFn: async () => (await client.project(project).services.listTraffic(names)).services,
    refetchInterval: ({ state }) => (state.error === null ? FIGURES_MS : FIGURES_AGAIN_MS),
    retry: false,
    placeholderData: keepPreviousData,
  });
}

/**
 * The latest requests that have ended, the last one first. They are polled while the page is shown: a
 * stream per tab would use up the connections of the browser.
 */
export function latestRequestsQuery(client: Client, { project, name }: NamedService) {
  return queryOptions<readonly AccessRecord[]>({
    queryKey: ['service', 'requests', project, name],
    queryFn: async ({ signal }) => {
      const found: AccessRecord[] = [];
      const { services } = client.project(project);
      for await (const message of services.access(name, { follow: false }, signal)) {
        if (message.kind === 'requests') found.push(...message.requests);
      }
      return found.reverse();
    },
    refetchInterval: ({ state }) => (state.error === null ? REQUESTS_MS : false),
    retry: false,
  });
}

/** Tokens by day, model and user. */
export function modelUsageQuery(client: Client, project: string, days: number) {
  return queryOptions<ModelUsageReport>({
    queryKey: ['project', 'usage', project, days],
    queryFn: () => {
      const since = new Date(Date.now() - (days - 1) * 86_400_000).toISOString();
      return client.project(project).models.usage({ since });
    },
    staleTime: 30_000,
  });
}
