/** Which pools are shared by weight, and the weights. */
import { EVERY_USER, type Id, type QuotaRecord } from '../model/index.ts';

type Weighing = Pick<QuotaRecord, 'projectId' | 'fleetId' | 'userId' | 'weight'>;

/**
 * A weight of one project has the whole pool shared; the others weigh 1. Weights of users alone do not, so that managers of a
 * project do not change the order of others; they do in a pool of one project.
 */
export function isShared(quotas: readonly Weighing[], isOfOneProject: boolean): boolean {
  return quotas.some(
    ({ weight, userId }) => weight !== null && (userId === null || isOfOneProject),
  );
}

export class ShareWeights {
  readonly #projects = new Map<Id, number>();
  readonly #users = new Map<string, number>();

  constructor(quotas: readonly Weighing[]) {
    for (const { projectId, fleetId, userId, weight } of quotas) {
      if (weight === null || fleetId !== null) continue;
      if (userId === null) this.#projects.set(projectId, weight);
      else this.#users.set(userKey(projectId, userId), weight);
    }
  }

  ofProject(projectId: Id): number {
    return this.#projects.get(projectId) ?? 1;
  }

  /** The weight of the user himself, else that of each user. */
  ofUser(projectId: Id, userId: Id): number {
    const own = this.#users.get(userKey(projectId, userId));
    return own ?? this.#users.get(userKey(projectId, EVERY_USER)) ?? 1;
  }
}

export const userKey = (projectId: Id, userId: Id): string => `${projectId} ${userId}`;
