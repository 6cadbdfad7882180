/** The calls of Compute Engine about resource policies, which cost nothing. */
import { NoAnswerError } from '../base/errors.ts';
import type { Compute } from './compute.ts';

export interface GcpResourcePolicy {
  readonly name: string;
  readonly region: string;
  /** A free text: policies have no labels. */
  readonly description?: string;
}

export class ResourcePolicies {
  readonly #compute: Compute;

  constructor(compute: Compute) {
    this.#compute = compute;
  }

  /** The policies of all regions. */
  async all(): Promise<readonly GcpResourcePolicy[]> {
    const { items, unreachable } = await this.#compute.aggregated<
      'resourcePolicies',
      GcpResourcePolicy
    >('resourcePolicies');
    const [missing] = unreachable;
    if (missing !== undefined) throw new NoAnswerError(`GCP: ${missing} does not answer`);
    return items;
  }

  /** The policies of a region, with the time of Google in µs; null = it did not say. */
  async timed(region: string) {
    const path = `${this.#at(region)}?maxResults=500`;
    const { body, time } = await this.#compute.client.timed<{
      readonly items?: readonly GcpResourcePolicy[];
      readonly nextPageToken?: string;
    } | null>({ method: 'GET', path, kind: 'look' });
    // Part of the claims would seem to be all.
    if (body === null || body.nextPageToken) {
      throw new NoAnswerError(`GCP: too many resource policies in ${region}`);
    }
    return { policies: body.items ?? [], time };
  }

  async insert(region: string, name: string, description: string): Promise<void> {
    const groupPlacementPolicy = { availabilityDomainCount: 1, collocation: 'COLLOCATED' };
    const body = { name, description, groupPlacementPolicy };
    await this.#compute.change({ method: 'POST', path: this.#at(region), body, kind: 'look' });
  }

  async delete(region: string, name: string): Promise<void> {
    const path = `${this.#at(region)}/${name}`;
    await this.#compute.change({ method: 'DELETE', path, kind: 'look' });
  }

  /** By which orders of machines name it. */
  linkOf(region: string, name: string): string {
    return `projects/${this.#compute.project}/regions/${region}/resourcePolicies/${name}`;
  }

  #at(region: string): string {
    return `/projects/${this.#compute.project}/regions/${region}/resourcePolicies`;
  }
}
