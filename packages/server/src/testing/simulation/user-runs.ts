/** Actions of users on the runs of a simulation. */
import { isRunFinished } from '@dstack/contract/status';
import type { RunSpec } from '@dstack/contract/wire';
import { RunSpec as RunSpecSchema } from '@dstack/contract/wire';
import { isReleasable, type RunRecord } from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import { actorOf } from '../../http/event-actor.ts';
import { applyRun } from '../../http/runs/apply.ts';
import { deleteEnded } from '../../http/runs/delete-runs.ts';
import { holdRuns, releaseRuns, setRunPriority } from '../../http/runs/hold.ts';
import { rerunRun } from '../../http/runs/rerun.ts';
import { stopRuns } from '../../http/runs/service.ts';
import { accepting } from './accepting.ts';
import { activeRuns } from './active-runs.ts';
import { SimConfigurations } from './sim-configurations.ts';
import type { UserParts } from './user-parts.ts';
import type { UserVolumes } from './user-volumes.ts';

const MOST_RUNS = 40;

interface UserRunsParts extends UserParts {
  readonly volumes: UserVolumes;
  readonly gatewayOf: (projectId: string) => string | null;
  readonly isCrowd: boolean;
  readonly hasWindows: boolean;
}

export class UserRuns {
  readonly #parts: UserRunsParts;
  readonly #configurations: SimConfigurations;
  #names = 0;

  constructor(parts: UserRunsParts) {
    this.#parts = parts;
    this.#configurations = new SimConfigurations(parts.random, {
      ...{ isCrowd: parts.isCrowd, isLong: parts.hasWindows },
    });
  }

  /** Above the limit one is stopped instead. */
  async submit(kind: 'task' | 'gang' | 'service' | 'schedule' | 'array'): Promise<void> {
    const { projects, volumes, isCrowd, random } = this.#parts;
    if ((await this.#active()).length >= MOST_RUNS) return await this.stop();
    // Most of a crowd have no guarantee: there is something to take back from them.
    const project = isCrowd && random.chance(0.4) ? projects.at(-1) : random.pick(projects);
    if (!project) return;
    const configuration = this.#configurations[kind](await volumes.namesIn(project));
    const gateway = kind === 'service' ? this.#parts.gatewayOf(project.id) : null;
    const place = gateway === null ? {} : this.#configurations.behind(gateway);
    await this.#apply(project, this.#spec(`run-${++this.#names}`, { ...configuration, ...place }));
  }

  /** Waits for one or two of the runs that are there. */
  async submitDependent(): Promise<void> {
    const { random, projects, volumes } = this.#parts;
    const active = await this.#active();
    if (active.length >= MOST_RUNS) return await this.stop();
    // Few others end while the story lasts.
    const ending = active.filter(
      ({ spec, dependencyState }) => spec.configuration.type === 'task' && dependencyState === null,
    );
    const upstreams = ending.length > 0 && random.chance(0.8) ? ending : active;
    const first = random.pick(upstreams);
    const project = projects.find((one) => one.id === first?.projectId);
    if (!first || !project) return;
    const second = random.pick(
      upstreams.filter((one) => one.projectId === project.id && one.id !== first.id),
    );
    const names = [first.name, ...(second ? [second.name] : [])];
    const depends_on = names.map((run) => ({
      run,
      on: random.pick(['success', 'success', 'end', 'failure', 'failure']),
      keep: random.chance(0.4),
    }));
    const kind = random.chance(0.25) ? 'array' : 'task';
    const configuration = this.#configurations[kind](await volumes.namesIn(project));
    const spec = this.#spec(`run-${++this.#names}`, { ...configuration, depends_on });
    await this.#apply(project, spec);
  }

  async stop(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const run = random.pick(await this.#active());
    const project = projects.find((one) => one.id === run?.projectId);
    if (!run || !project) return;
    await stopRuns(deps, project, { names: [run.name], abort: random.chance(0.3) }, user);
  }

  async stopAll(): Promise<void> {
    const { deps, user } = this.#parts;
    for (const project of this.#parts.projects) {
      const names = (await this.#active()).map((run) => run.name);
      await stopRuns(deps, project, { names, abort: false }, user);
    }
  }

  async updateService(): Promise<void> {
    const { random } = this.#parts;
    await this.#update(
      (run) => run.spec.configuration.type === 'service',
      (configuration) => ({
        ...configuration,
        ...(random.chance(0.5) ? { env: { VERSION: String(random.whole(1, 999)) } } : {}),
        ...(random.chance(0.5) ? this.#configurations.resized(configuration) : {}),
      }),
    );
  }

  async updatePriority(): Promise<void> {
    const { random } = this.#parts;
    await this.#update(
      () => true,
      (configuration) => ({ ...configuration, priority: random.whole(0, 100) }),
    );
  }

  /** In place, also of an array or while it runs. */
  async setPriority(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const run = random.pick(await this.#active());
    const project = projects.find((one) => one.id === run?.projectId);
    if (!run || !project) return;
    const wanted = { run_name: run.name, priority: random.whole(0, 100) };
    await setRunPriority(deps, project, user, wanted);
  }

  async request(): Promise<void> {
    const { store, random, now } = this.#parts;
    const services = (await this.#active()).filter((run) => run.serviceSpec !== null);
    const run = random.pick(services);
    if (!run) return;
    const second = Math.floor(now() / 1_000_000);
    const counts = [{ runId: run.id, second, requests: random.whole(0, 400) }];
    await store.services.addRequests('users', counts, { signals: [{ kind: 'run', id: run.id }] });
  }

  /** Refused for those that run. */
  async hold(): Promise<void> {
    await this.#queued(() => true, holdRuns);
  }

  async release(): Promise<void> {
    await this.#queued(isReleasable, releaseRuns);
  }

  /** Arrays first, which release their members meanwhile. */
  async releaseAll(): Promise<void> {
    const { deps, user, store, projects } = this.#parts;
    for (const run of (await activeRuns(store)).filter(({ hold }) => hold !== null)) {
      const project = projects.find((one) => one.id === run.projectId);
      if (!project) continue;
      await accepting(releaseRuns(deps, project, user, { runs_names: [run.name] }));
    }
  }

  /** Refused while it is active; some arrays only with their failed members. */
  async rerun(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const project = random.pick(projects);
    const run_name = `run-${random.whole(1, Math.max(1, this.#names))}`;
    const failed_only = random.chance(0.3);
    if (project)
      await rerunRun(deps, project, user, { run_name, id: null, name: null, failed_only });
  }

  /** Refused while it is active. */
  async delete(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const project = random.pick(projects);
    const name = `run-${random.whole(1, Math.max(1, this.#names))}`;
    if (project) await deleteEnded(deps.store, project.id, { names: [name], actor: actorOf(user) });
  }

  /** Another run under a used name: it follows a finished one, or is refused. */
  async replace(): Promise<void> {
    const { random, projects, volumes } = this.#parts;
    const project = random.pick(projects);
    if (!project) return;
    const name = `run-${random.whole(1, Math.max(1, this.#names))}`;
    const configuration = this.#configurations.task(await volumes.namesIn(project));
    await this.#apply(project, this.#spec(name, configuration));
  }

  #spec(name: string, configuration: object): RunSpec {
    return RunSpecSchema.parse({
      run_name: name,
      configuration: { ...configuration, name, image: 'busybox' },
      ssh_key_pub: this.#parts.sshKey.public,
    });
  }

  #apply(project: ProjectRecord, spec: RunSpec): Promise<unknown> {
    const { deps, random, user, users } = this.#parts;
    return applyRun(deps, project, random.pick(users) ?? user, {
      plan: { run_spec: spec, current_resource: null },
      force: true,
    } as Parameters<typeof applyRun>[3]);
  }

  async #queued(concerns: (run: RunRecord) => boolean, act: typeof holdRuns): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const run = random.pick((await this.#active()).filter(concerns));
    const project = projects.find((one) => one.id === run?.projectId);
    if (run && project) await act(deps, project, user, { runs_names: [run.name] });
  }

  async #active(): Promise<RunRecord[]> {
    const views = await this.#parts.store.runs.list({ onlyActive: true, projectIds: null });
    return views.map((view) => view.run).filter((run) => !isRunFinished(run.status));
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
}
