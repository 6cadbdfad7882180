import { routeOf, type ServiceRoute } from '@dstack/proxy';
import type { ServiceView } from '@dstack/store';

/** Null: the run is no service. */
export function viewRoute({ run, projectName, replicas }: ServiceView): ServiceRoute | null {
  const { configuration } = run.spec;
  if (configuration.type !== 'service') return null;
  return routeOf({ runId: run.id, projectName, runName: run.name, configuration, replicas });
}
