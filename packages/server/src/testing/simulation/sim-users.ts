/** Users of the servers of a simulation, with random requests through the API's own code. */
import { isRunFinished } from '@dstack/contract/status';
import type { RunSpec } from '@dstack/contract/wire';
import { FleetSpec, RunSpec as RunSpecSchema } from '@dstack/contract/wire';
import type { RunRecord } from '@dstack/core';
import type { ProjectRecord, Store, UserRecord } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import { createExport, deleteExport } from '../../http/exports/service.ts';
import { applyFleet } from '../../http/fleets/apply.ts';
import { deleteFleets, deleteInstances } from '../../http/fleets/delete.ts';
import type { HttpDeps } from '../../http/ports.ts';
import { applyRun } from '../../http/runs/apply.ts';
import { deleteRuns, stopRuns } from '../../http/runs/service.ts';
import { SimConfigurations } from './sim-configurations.ts';

export interface SimUsersParts {
  readonly deps: HttpDeps;
  readonly store: Store;
  readonly random: Random;
  readonly user: UserRecord;
  readonly projects: readonly ProjectRecord[];
  readonly sshKey: { readonly public: string; readonly private: string };
  readonly now: () => number;
}

type Action =
  | 'task'
  | 'gang'
  | 'service'
  | 'schedule'
  | 'stop'
  | 'updateService'
  | 'updatePriority'
  | 'requests'
  | 'resizeFleet'
  | 'changeFleet'
  | 'deleteFleet'
  | 'restoreFleet'
  | 'deleteInstance'
  | 'deleteRun'
  | 'replaceRun'
  | 'share';

const WEIGHTS: Readonly<Record<Action, number>> = {
  task: 8,
  gang: 2,
  service: 3,
  schedule: 0.5,
  stop: 3,
  updateService: 2,
  updatePriority: 0.5,
  requests: 3,
  resizeFleet: 1,
  changeFleet: 0.7,
  deleteFleet: 0.4,
  restoreFleet: 0.8,
  deleteInstance: 0.5,
  deleteRun: 0.3,
  replaceRun: 0.5,
  share: 0.5,
};

/** Names of the fleets, the project of each, and their specs. */
const FLEETS = [
  { project: 0, name: 'cloud', nodes: { min: 0, max: 3 } },
  { project: 0, name: 'own', nodes: { min: 0, max: 2 }, backends: ['remote'] },
  { project: 1, name: 'cluster', placement: 'cluster', hosts: ['c1', 'c2', 'c3'] },
  { project: 1, name: 'split', hosts: ['gpu1', 's2'], blocks: 4 },
  {
    ...{ project: 2, name: 'keep', nodes: { min: 1, max: 2 }, placement: 'cluster' },
    backends: ['aws'],
  },
  { project: 1, name: 'side', nodes: { min: 0, max: 2 }, backends: ['remote'] },
  {
    ...{ project: 2, name: 'pods', nodes: { min: 0, max: 3 }, placement: 'cluster' },
    backends: ['runpod'],
  },
] as const;

const MOST_RUNS = 40;

export class SimUsers {
  readonly #parts: SimUsersParts;
  readonly #configurations: SimConfigurations;
  #names = 0;

  constructor(parts: SimUsersParts) {
    this.#parts = parts;
    this.#configurations = new SimConfigurations(parts.random);
  }

  async makeFleets(): Promise<void> {
    for (const fleet of FLEETS) await this.#applyFleet(fleet, {});
  }

  /** One random request. Refusals are accepted. */
  async act(): Promise<string> {
    const action = this.#parts.random.weighted(WEIGHTS);
    try {
      await this.#do(action);
      return action;
    } catch (error) {
      if (isRefusal(error)) return `${action} (refused)`;
      throw error;
    }
  }

  async stopAll(): Promise<void> {
    for (const project of this.#parts.projects) {
      const names = (await this.#active()).map((run) => run.name);
      await stopRuns(this.#parts.deps, project, { names, abort: false }, this.#parts.user);
    }
  }

  async deleteFleets(): Promise<void> {
    const { deps, user, projects } = this.#parts;
    for (const { project, name } of FLEETS) {
      const owner = projects[project];
      if (owner) await deleteFleets(deps, owner, [name], user);
    }
  }

  #do(action: Action): Promise<unknown> {
    const { random } = this.#parts;
    switch (action) {
      case 'task':
        return this.#submit(this.#configurations.task());
      case 'gang':
        return this.#submit(this.#configurations.gang());
      case 'service':
        return this.#submit(this.#configurations.service());
      case 'schedule':
        return this.#submit(this.#configurations.schedule());
      case 'stop':
        return this.#stop();
      case 'updateService':
        return this.#update(
          (run) => run.spec.configuration.type === 'service',
          (configuration) => ({
            ...configuration,
            ...(random.chance(0.5) ? { env: { VERSION: String(random.whole(1, 999)) } } : {}),
            ...(random.chance(0.5) ? this.#configurations.resized(configuration) : {}),
          }),
        );
      case 'updatePriority':
        return this.#update(
          () => true,
          (configuration) => ({
            ...configuration,
            priority: random.whole(0, 100),
          }),
        );
      case 'requests':
        return this.#request();
      case 'resizeFleet':
        return this.#applyFleet(FLEETS[random.pick([0, 1, 4, 5, 6]) ?? 0], {
          max: random.whole(1, 4),
        });
      case 'changeFleet':
        return this.#applyFleet(FLEETS[random.pick([0, 4, 6]) ?? 0], {
          cpu: random.pick([1, 16, 64]),
        });
      case 'deleteFleet':
        return this.#deleteFleet();
      case 'restoreFleet':
        return this.#applyFleet(random.pick(FLEETS), {});
      case 'deleteRun':
        return this.#deleteRun();
      case 'replaceRun':
        return this.#replaceRun();
      case 'deleteInstance':
        return this.#deleteInstance();
      case 'share':
        return this.#share();
    }
  }

  async #submit(configuration: object): Promise<unknown> {
    const { random, projects } = this.#parts;
    if ((await this.#active()).length >= MOST_RUNS) return await this.#stop();
    const project = random.pick(projects);
    const name = `run-${++this.#names}`;
    return project && (await this.#apply(project, this.#spec(name, configuration)));
  }

  #spec(name: string, configuration: object): RunSpec {
    return RunSpecSchema.parse({
      run_name: name,
      configuration: { ...configuration, name, image: 'busybox' },
      ssh_key_pub: this.#parts.sshKey.public,
    });
  }

  #apply(project: ProjectRecord, spec: RunSpec): Promise<unknown> {
    const { deps, user } = this.#parts;
    return applyRun(deps, project, user, {
      plan: { run_spec: spec, current_resource: null },
      force: true,
    } as Parameters<typeof applyRun>[3]);
  }

  async #active(): Promise<RunRecord[]> {
    const views = await this.#parts.store.runs.list({ onlyActive: true, projectIds: null });
    return views.map((view) => view.run).filter((run) => !isRunFinished(run.status));
  }

  async #stop(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const run = random.pick(await this.#active());
    const project = projects.find((one) => one.id === run?.projectId);
    if (!run || !project) return;
    await stopRuns(deps, project, { names: [run.name], abort: random.chance(0.3) }, user);
  }

  async #update(
    concerns: (run: RunRecord) => boolean,
    change: (configuration: RunSpec['configuration']) => object,
  ): Promise<void> {
    const { random, projects } = this.#parts;
    const run = random.pick((await this.#active()).filter(concerns));
    const project = projects.find((one) => one.id === run?.projectId);
    if (!run || !project) return;
    const configuration = change(run.spec.configuration) as RunSpec['configuration'];
    await this.#apply(project, RunSpecSchema.parse({ ...run.spec, configuration }));
  }

  async #request(): Promise<void> {
    const { store, random, now } = this.#parts;
    const services = (await this.#active()).filter((run) => run.serviceSpec !== null);
    const run = random.pick(services);
    if (!run) return;
    const second = Math.floor(now() / 1_000_000);
    const counts = [{ runId: run.id, second, requests: random.whole(0, 400) }];
    await store.services.addRequests('users', counts, { signals: [{ kind: 'run', id: run.id }] });
  }

  async #applyFleet(
    fleet: (typeof FLEETS)[number] | undefined,
    change: { readonly max?: number; readonly cpu?: number | undefined },
  ): Promise<void> {
    const { deps, user, projects, sshKey } = this.#parts;
    const project = fleet && projects[fleet.project];
    if (!fleet || !project) return;
    const { name } = fleet;
    const own =
      'hosts' in fleet
        ? { ssh_config: { user: 'root', ssh_key: sshKey, hosts: [...fleet.hosts] } }
        : { nodes: { ...fleet.nodes, max: change.max ?? fleet.nodes.max } };
    const spec = FleetSpec.parse({
      configuration: {
        ...{ type: 'fleet', name, ...own },
        ...('placement' in fleet ? { placement: fleet.placement } : {}),
        ...('blocks' in fleet ? { blocks: fleet.blocks } : {}),
        ...('backends' in fleet ? { backends: fleet.backends } : {}),
        ...(change.cpu === undefined
          ? {}
          : { resources: { cpu: `${change.cpu}..`, memory: '1GB..' } }),
      },
      profile: {},
    });
    const request = { plan: { spec, current_resource: null }, force: true };
    await applyFleet(deps, project, request as Parameters<typeof applyFleet>[2], {
      ...{ user, role: 'admin' },
    });
  }

  async #deleteFleet(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const fleet = random.pick(FLEETS);
    const project = fleet && projects[fleet.project];
    if (fleet && project) await deleteFleets(deps, project, [fleet.name], user);
  }

  /** Refused while it is active. */
  async #deleteRun(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const project = random.pick(projects);
    const name = `run-${random.whole(1, Math.max(1, this.#names))}`;
    if (project) await deleteRuns(deps, project, [name], user);
  }

  /** Another run under a used name: it follows a finished one, or is refused. */
  async #replaceRun(): Promise<void> {
    const { random, projects } = this.#parts;
    const project = random.pick(projects);
    const name = `run-${random.whole(1, Math.max(1, this.#names))}`;
    if (project) await this.#apply(project, this.#spec(name, this.#configurations.task()));
  }

  async #deleteInstance(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const fleet = FLEETS[random.pick([0, 1, 4, 5, 6]) ?? 0];
    const project = fleet && projects[fleet.project];
    if (!fleet || !project) return;
    const request = { name: fleet.name, instance_nums: [random.whole(0, 2)] };
    await deleteInstances(deps, project, request, user);
  }

  /** Exports the fleets of the second project to the others, or ends that. */
  async #share(): Promise<void> {
    const { deps, user, projects } = this.#parts;
    const [first, owner, third] = projects;
    if (!first || !owner || !third) return;
    const known = await deps.store.exports.byName(owner.id, 'pool');
    if (known) await deleteExport(deps, owner, 'pool', user);
    else {
      await createExport(
        deps,
        owner,
        {
          name: 'pool',
          is_global: false,
          importer_projects: [first.name, third.name],
          exported_fleets: ['cluster', 'split'],
          exported_gateways: [],
        },
        user,
      );
    }
  }
}

/** Refusals of the API have a status; everything else is a fault. */
function isRefusal(error: unknown): boolean {
  return typeof (error as { readonly status?: unknown }).status === 'number';
}
