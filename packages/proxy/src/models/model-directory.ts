import { ProxyRefusal } from '../refusals/refusal.ts';
import { inOrderOfTrial } from '../requests/ask-any.ts';
import type { ServiceProxy } from '../requests/service-proxy.ts';
import type { ModelTable, ServedModel } from './served-model.ts';

/** The project of a caller. */
export interface ModelProject {
  readonly projectId: string;
  readonly projectName: string;
}

export interface ModelDirectoryOptions {
  readonly services: ModelTable;
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
    { readonly readAt: number; readonly models: readonly ServedModel[] }
  >();

  constructor(options: ModelDirectoryOptions) {
    this.#options = options;
  }

  /**
   * Services with a model of that name and one format, in the order in which to try them, see
   * `inOrderOfTrial`; the newest first. Throws `ProxyRefusal` if there is none.
   */
  async find(
    { projectId, projectName }: ModelProject,
    name: string,
  ): Promise<readonly [ServedModel, ...ServedModel[]]> {
    const served = await this.#unfinished(projectId, name);
    const { proxy, services } = this.#options;
    const [first, ...rest] = inOrderOfTrial(served, proxy);
    if (first !== undefined) return [first, ...rest.filter((one) => isAlike(one, first))];
    const [last] = named(name, await services.withModels(projectId, 'finished'));
    if (last !== undefined) return [finished(last)];
    throw modelNotFound(name, projectName);
  }

  async #unfinished(projectId: string, name: string): Promise<ServedModel[]> {
    const { now, proxy } = this.#options;
    const known = this.#projects.get(projectId);
    if (known !== undefined && Math.abs(now() - known.readAt) < TTL_MS) {
      const found = await Promise.all(
        named(name, known.models).map(async (one) => {
          const route = await proxy.find(one.route);
          return route?.runId === one.route.runId ? [{ ...one, route }] : [];
        }),
      );
      if (found.flat().length > 0) return found.flat();
    }
    // A name that is missing may be that of a new service.
    return named(name, await this.#read(projectId));
  }

  async #read(projectId: string): Promise<readonly ServedModel[]> {
    const readAt = this.#options.now();
    const models = await this.#options.services.withModels(projectId, 'unfinished');
    if (this.#projects.size >= MAX_PROJECTS) this.#projects.clear();
    this.#projects.set(projectId, { readAt, models });
    return models;
  }
}

/** A request is translated for one format only. */
const isAlike = ({ model }: ServedModel, first: ServedModel) => model.format === first.model.format;

/** A finished run cannot be started by requests. */
function finished({ route, ...one }: ServedModel): ServedModel {
  return { ...one, route: { ...route, scaled: false, mayBeEmpty: false } };
}

const named = (name: string, models: readonly ServedModel[]) =>
  models.filter(({ model }) => model.name === name);

export const modelNotFound = (name: string, project: string) =>
  new ProxyRefusal(404, `Model ${name} not found in project ${project}`, {
    code: 'model_not_found',
  });
