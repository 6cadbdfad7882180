/** Services that have a model, and where a process finds them. */
import type { ServiceConfiguration } from '@dstack/contract/wire';
import type { ServiceRoute } from '../routes/service-route.ts';

export type Model = NonNullable<ServiceConfiguration['model']>;

export interface ServedModel {
  readonly route: ServiceRoute;
  readonly model: Model;
  /** Microseconds since the epoch; null = the server of a gateway is of an earlier version. */
  readonly submittedAt: number | null;
  readonly isRunning: boolean;
}

export interface ModelTable {
  /** Newest first: all unfinished ones, or the latest finished. */
  withModels(projectId: string, which: 'unfinished' | 'finished'): Promise<readonly ServedModel[]>;
}

/** Whether the model runs, or starts on request. */
export function isListed({ isRunning, route }: ServedModel): boolean {
  return isRunning || route.mayBeEmpty;
}

/** An entry of the list of models. */
export function listedModel({ model, route, submittedAt }: ServedModel) {
  return {
    object: 'model',
    id: model.name,
    created: Math.floor((submittedAt ?? 0) / 1_000_000),
    owned_by: route.projectName,
  };
}
