import { isRunRunning } from '@dstack/contract/status';
import {
  type Model,
  type ModelTable,
  routeOf,
  type ServedModel,
  type ServiceRoute,
} from '@dstack/proxy';
import type { Services, ServiceView } from '@dstack/store';

/** Null: the run is no service. */
export function viewRoute({ run, projectName, replicas }: ServiceView): ServiceRoute | null {
  const { configuration } = run.spec;
  if (configuration.type !== 'service') return null;
  return routeOf({ runId: run.id, projectName, runName: run.name, configuration, replicas });
}

/** In the form in which it was completed when the service was submitted; null = the service has none. */
export function modelOf({ run }: Pick<ServiceView, 'run'>): Model | null {
  const { configuration } = run.spec;
  const completed = run.serviceSpec?.options.openai as { model?: Model } | undefined;
  return (
    completed?.model ?? (configuration.type === 'service' ? (configuration.model ?? null) : null)
  );
}

/** Null: it serves no model. */
export function servedModel(view: ServiceView): ServedModel | null {
  const [route, model] = [viewRoute(view), modelOf(view)];
  if (route === null || model === null) return null;
  const { submittedAt, status } = view.run;
  return { route, model, submittedAt, isRunning: isRunRunning(status) };
}

/** The models of services that no gateway serves. */
export function modelTable(services: Pick<Services, 'withModels'>): ModelTable {
  return {
    async withModels(projectId, which) {
      const views = await services.withModels(projectId, which);
      return views.flatMap((view) => servedModel(view) ?? []);
    },
  };
}
