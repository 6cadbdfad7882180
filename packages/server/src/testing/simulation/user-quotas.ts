/** Actions of users on the quotas of a simulation. */
import { applyQuotas, deleteQuotas } from '../../http/quotas/service.ts';
import type { UserParts } from './user-parts.ts';

type Applied = Parameters<typeof applyQuotas>[2][number];
type Place = Pick<Applied, 'project_name' | 'fleet_name' | 'user_name'>;

const NO_AMOUNTS = { gpu: null, cpu: null, memory: null, instances: null, cost: null };

export class UserQuotas {
  readonly #parts: UserParts;

  constructor(parts: UserParts) {
    this.#parts = parts;
  }

  /** The first two projects have guarantees; what the third uses is borrowed. */
  async begin(): Promise<void> {
    const { random, projects } = this.#parts;
    const shares = random.pick([
      [8, 8],
      [8, 16],
      [16, 8],
    ]);
    for (const [index, cpu] of (shares ?? []).entries()) {
      const project_name = projects[index]?.name ?? '';
      const place = { project_name, fleet_name: null, user_name: null };
      await this.#apply(place, { guaranteed: { ...NO_AMOUNTS, cpu } });
    }
  }

  /** Sets, raises, lowers or deletes a guarantee or a limit. */
  async change(): Promise<void> {
    const { random } = this.#parts;
    const place = this.#anyPlace();
    if (place === null) return;
    if (random.chance(0.25)) {
      const { deps, user } = this.#parts;
      await deleteQuotas(deps, user, [place]);
      return;
    }
    const isOfUsers = place.user_name !== null;
    const guaranteed = isOfUsers || random.chance(0.4) ? null : this.#amounts();
    const hasLimit = guaranteed === null || random.chance(0.3);
    const runs = place.fleet_name === null && random.chance(0.1) ? random.whole(2, 10) : null;
    const limit = hasLimit ? { ...this.#amounts(), runs } : null;
    await this.#apply(place, { guaranteed, limit });
  }

  /** Nothing is limited or guaranteed any more. */
  async deleteAll(): Promise<void> {
    const { deps, user } = this.#parts;
    for (const { quota, ...names } of await deps.store.quotas.list(null)) {
      const { fleet } = names;
      const place = {
        project_name: names.projectName,
        fleet_name: fleet && `${fleet.projectName}/${fleet.name}`,
        user_name: quota.userId === '*' ? '*' : names.userName,
      };
      await deleteQuotas(deps, user, [place]);
    }
  }

  #anyPlace(): Place | null {
    const { random, projects, users } = this.#parts;
    const project = random.pick(projects);
    if (!project) return null;
    const of = { project_name: project.name, fleet_name: null, user_name: null };
    switch (random.weighted({ project: 6, fleet: 2, each: 1, one: 1 })) {
      case 'project':
        return of;
      case 'fleet':
        return { ...of, fleet_name: random.pick(['second/cluster', 'second/split']) ?? null };
      case 'each':
        return { ...of, user_name: '*' };
      case 'one':
        return { ...of, user_name: random.pick(users)?.name ?? null };
    }
  }

  #amounts(): typeof NO_AMOUNTS {
    const { random } = this.#parts;
    const amounts = random.pick([
      { cpu: random.whole(0, 32) },
      { cpu: random.whole(8, 24) },
      { instances: random.whole(0, 4) },
      { gpu: random.whole(0, 2) },
      { memory: random.whole(16, 256) },
      { cost: random.whole(0, 8) },
    ]);
    return { ...NO_AMOUNTS, ...amounts } as typeof NO_AMOUNTS;
  }

  async #apply(place: Place, terms: object): Promise<void> {
    const { deps, user } = this.#parts;
    const quota = { ...place, guaranteed: null, limit: null, weight: null, ...terms };
    await applyQuotas(deps, user, [quota as Applied]);
  }
}
