/** Actions of users on the fleets of a simulation. */

import { isInstanceActive } from '@dstack/contract/status';
import { FleetSpec } from '@dstack/contract/wire';
import { createExport, deleteExport } from '../../http/exports/service.ts';
import { applyFleet } from '../../http/fleets/apply.ts';
import { deleteFleets, deleteInstances } from '../../http/fleets/delete.ts';
import { cordonInstances, drainInstances, uncordonInstances } from '../../http/instances/cordon.ts';
import { accepting } from './accepting.ts';
import { SHARED_PATH } from './sim-backends.ts';
import type { UserParts } from './user-parts.ts';

/** Names of the fleets, the project of each, and their specs. */
const FLEETS = [
  { project: 0, name: 'cloud', nodes: { min: 0, max: 3 }, blocks: 2 },
  { project: 0, name: 'own', nodes: { min: 0, max: 2 }, backends: ['remote'] },
  {
    ...{ project: 1, name: 'cluster', placement: 'cluster', hosts: ['c1', 'c2', 'c3'] },
    shared_volumes_path: SHARED_PATH,
  },
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

type Fleet = (typeof FLEETS)[number];

export class UserFleets {
  readonly #parts: UserParts;
  /** By name of the fleet: users who change something else keep the windows. */
  readonly #maintenance = new Map<string, object | null>();
  readonly #blocks = new Map<string, number>();

  constructor(parts: UserParts) {
    this.#parts = parts;
  }

  async makeAll(): Promise<void> {
    for (const fleet of FLEETS) await this.#apply(fleet, {});
  }

  async deleteAll(): Promise<void> {
    for (const fleet of FLEETS) await this.#delete(fleet);
  }

  async resize(): Promise<void> {
    const { random } = this.#parts;
    await this.#apply(FLEETS[random.pick([0, 1, 4, 5, 6]) ?? 0], { max: random.whole(1, 4) });
  }

  async change(): Promise<void> {
    const { random } = this.#parts;
    await this.#apply(FLEETS[random.pick([0, 4, 6]) ?? 0], { cpu: random.pick([1, 16, 64]) });
  }

  /** SSH hosts leave their fleet, or come back to it as new ones. */
  async changeHosts(): Promise<void> {
    const { random } = this.#parts;
    const fleet = FLEETS[random.pick([2, 3]) ?? 2];
    if (!fleet || !('hosts' in fleet)) return;
    const hosts = fleet.hosts.filter(() => random.chance(0.7));
    await this.#apply(fleet, { hosts: hosts.length > 0 ? hosts : [...fleet.hosts] });
  }

  /** Instances are divided into other blocks, those with jobs when these have left. */
  async changeBlocks(): Promise<void> {
    const { random } = this.#parts;
    await this.#apply(FLEETS[random.pick([0, 2, 3, 4]) ?? 0], { blocks: random.pick([1, 2, 4]) });
  }

  async delete(): Promise<void> {
    await this.#delete(this.#parts.random.pick(FLEETS));
  }

  async restore(): Promise<void> {
    await this.#apply(this.#parts.random.pick(FLEETS), {});
  }

  async deleteInstance(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const fleet = FLEETS[random.pick([0, 1, 2, 3, 4, 5, 6]) ?? 0];
    const project = fleet && projects[fleet.project];
    if (!fleet || !project) return;
    const request = { name: fleet.name, instance_nums: [random.whole(0, 2)] };
    await deleteInstances(deps, project, request, user);
  }

  /** Some instances of one project are cordoned or drained, or get jobs again. */
  async care(): Promise<void> {
    const { deps, random, user, projects } = this.#parts;
    const project = random.pick(projects);
    if (!project) return;
    const all = await this.#namesIn(project.id);
    const names = all.filter(() => random.chance(0.4));
    const reason = random.chance(0.5) ? 'repair' : null;
    if (names.length === 0) return;
    switch (random.weighted({ cordon: 2, drain: 4, uncordon: 4 })) {
      case 'cordon': {
        const seconds = random.chance(0.5) ? random.whole(1, 600) : null;
        await cordonInstances(deps, project, { names, reason, until: null, seconds }, user);
        return;
      }
      case 'drain':
        await drainInstances(deps, project, { names, reason, seconds: random.whole(1, 600) }, user);
        return;
      case 'uncordon':
        await uncordonInstances(deps, project, names, user);
    }
  }

  async uncordonAll(): Promise<void> {
    const { deps, user, projects } = this.#parts;
    for (const project of projects) {
      for (const name of await this.#namesIn(project.id)) {
        // One may have ended meanwhile.
        await accepting(uncordonInstances(deps, project, [name], user));
      }
    }
  }

  /** A fleet gets short windows, other ones, or none any more. */
  async maintain(): Promise<void> {
    const { random } = this.#parts;
    const every = random.pick([10, 15, 30]) ?? 15;
    const maintenance = {
      // `windowStart` reads this form.
      schedule: [`${random.whole(0, 9)}-59/${every} * * * *`],
      duration: random.whole(180, (every - 5) * 60),
      lead: random.whole(60, 240),
    };
    const isSet = random.chance(0.7);
    await this.#apply(random.pick(FLEETS), { maintenance: isSet ? maintenance : null });
  }

  async endMaintenance(): Promise<void> {
    const projectIds = this.#parts.projects.map(({ id }) => id);
    const present = await this.#parts.deps.store.fleets.list({ projectIds, onlyActive: true });
    for (const { fleet } of present) {
      const known = FLEETS.find(({ name }) => name === fleet.name);
      if (fleet.spec.configuration.maintenance) await this.#apply(known, { maintenance: null });
    }
  }

  async #namesIn(projectId: string): Promise<string[]> {
    const found = await this.#parts.deps.store.instances.list({ projectIds: [projectId] });
    const active = found.filter(({ instance }) => isInstanceActive(instance.status));
    return active.map(({ instance }) => instance.name);
  }

  /** Exports the fleets of the second project to the others, or ends that. */
  async share(): Promise<void> {
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

  async #apply(
    fleet: Fleet | undefined,
    change: {
      readonly max?: number;
      readonly cpu?: number | undefined;
      readonly hosts?: readonly string[];
      readonly maintenance?: object | null;
      readonly blocks?: number | undefined;
    },
  ): Promise<void> {
    const { deps, user, projects, sshKey } = this.#parts;
    const project = fleet && projects[fleet.project];
    if (!fleet || !project) return;
    const { name } = fleet;
    if (change.maintenance !== undefined) this.#maintenance.set(name, change.maintenance);
    const maintenance = this.#maintenance.get(name);
    if (change.blocks !== undefined) this.#blocks.set(name, change.blocks);
    const blocks = this.#blocks.get(name) ?? ('blocks' in fleet ? fleet.blocks : undefined);
    const own =
      'hosts' in fleet
        ? {
            ssh_config: {
              user: 'root',
              ssh_key: sshKey,
              hosts: [...(change.hosts ?? fleet.hosts)],
            },
          }
        : { nodes: { ...fleet.nodes, max: change.max ?? fleet.nodes.max } };
    const spec = FleetSpec.parse({
      configuration: {
        ...{ type: 'fleet', name, ...own },
        ...('placement' in fleet ? { placement: fleet.placement } : {}),
        ...(blocks === undefined ? {} : { blocks }),
        ...('shared_volumes_path' in fleet
          ? { shared_volumes_path: fleet.shared_volumes_path }
          : {}),
        ...('backends' in fleet ? { backends: fleet.backends } : {}),
        ...(maintenance === undefined ? {} : { maintenance }),
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

  async #delete(fleet: Fleet | undefined): Promise<void> {
    const { deps, user, projects } = this.#parts;
    const project = fleet && projects[fleet.project];
    if (fleet && project) await deleteFleets(deps, project, [fleet.name], user);
  }
}
