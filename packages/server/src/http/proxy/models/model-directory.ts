import type { ServiceProxy, ServiceRoute } from '@dstack/proxy';
import { inOrderOfTrial, ProxyRefusal } from '@dstack/proxy';
import type { ProjectRecord, ServiceView, Store } from '@dstack/store';
import { viewRoute } from '../../../service-table/view-route.ts';
import type { Model } from './model-client.ts';

export interface ServedModel {
  readonly route: ServiceRoute;
  readonly model: Model;
}

export interface ModelDirectoryOptions {
  readonly services: Pick<Store['services'], 'withModels'>;
  readonly proxy: Pick<ServiceProxy, 'find' | 'load' | 'accepts'>;
  /** Milliseconds. */
  readonly now: () => number;
}

/** How long the services of a project are used without being read again, in milliseconds. */
const TTL_MS = 1000;

const MAX_PROJECTS = 1000;

/** The services of a project that serve a model. */
export class ModelDirectory {
  readonly #options: ModelDirectoryOptions;
  readonly #projects = new Map<
    string,
    { readonly readAt: number; readonly views: ServiceView[] }
  >();

  constructor(options: ModelDirectoryOptions) {
    this.#options = options;
  }

  /**
   * Services with a model of that name and one format, in the order in which to try them, see
   * `inOrderOfTrial`; the newest first. Throws `ProxyRefusal` if there is none.
   */
  async find(
    project: Pick<ProjectRecord, 'id' | 'name'>,
    name: string,
  ): Promise<readonly [ServedModel, ...ServedModel[]]> {
    const served = await this.#unfinished(project, name);
    const { proxy, services } = this.#options;
    const [first, ...rest] = inOrderOfTrial(served, proxy);
    if (first !== undefined) return [first, ...rest.filter((one) => isAlike(one, first))];
    const [last] = serving(name, await services.withModels(project.id, 'finished'));
    if (last !== undefined) return [finished(last)];
    throw modelNotFound(name, project.name);
  }

  async #unfinished(
    project: Pick<ProjectRecord, 'id' | 'name'>,
    name: string,
  ): Promise<ServedModel[]> {
    const { now, proxy } = this.#options;
    const known = this.#projects.get(project.id);
    if (known !== undefined && now() - known.readAt < TTL_MS) {
      const found = await Promise.all(
        serving(name, known.views).map(async ({ route, model }) => {
          const present = await proxy.find(route);
          return present?.runId === route.runId ? [{ route: present, model }] : [];
        }),
      );
      if (found.flat().length > 0) return found.flat();
    }
    // A name that is missing may be that of a new service.
    return serving(name, await this.#read(project.id));
  }

  async #read(projectId: string): Promise<ServiceView[]> {
    const readAt = this.#options.now();
    const views = await this.#options.services.withModels(projectId, 'unfinished');
    if (this.#projects.size >= MAX_PROJECTS) this.#projects.clear();
    this.#projects.set(projectId, { readAt, views });
    return views;
  }
}

/** A request is translated for one format only. */
const isAlike = ({ model }: ServedModel, first: ServedModel) => model.format === first.model.format;

/** A finished run cannot be started by requests. */
function finished({ route, model }: ServedModel): ServedModel {
  return { route: { ...route, scaled: false, mayBeEmpty: false }, model };
}

function serving(name: string, views: readonly ServiceView[]): ServedModel[] {
  return views.flatMap((view) => {
    const { configuration } = view.run.spec;
    // In the form in which it was completed when the service was submitted.
    const completed = view.run.serviceSpec?.options.openai as { model?: Model } | undefined;
    const model = completed?.model ?? (configuration.type === 'service' && configuration.model);
    const route = viewRoute(view);
    return route && model && model.name === name ? [{ route, model }] : [];
  });
}

export const modelNotFound = (name: string, project: string) =>
  new ProxyRefusal(404, `Model ${name} not found in project ${project}`, {
    code: 'model_not_found',
  });
