/** The calls of Compute Engine about persistent disks. */
import { NoAnswerError } from '../base/errors.ts';
import {
  type Compute,
  type GcpOperation,
  lastSegment,
  regionOfZone,
  unreachableIn,
} from './compute.ts';
import { KEY_LABEL } from './labels.ts';

export interface GcpDisk {
  readonly name: string;
  readonly zone: string;
  readonly status: string;
  readonly sizeGb?: string;
  /** URLs of the machines that have it. */
  readonly users?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A disk of an instance, as the instance names it. */
interface AttachedDisk {
  readonly source?: string;
  readonly deviceName?: string;
}

export class Disks {
  readonly #compute: Compute;

  constructor(compute: Compute) {
    this.#compute = compute;
  }

  /** Those with a key of dstack, also boot disks. `region`: null = those of all. */
  async labelled(region: string | null): Promise<readonly GcpDisk[]> {
    return await this.#list(`labels.${KEY_LABEL}:*`, region);
  }

  /** Those of this name in a region, which has one in each zone at most. */
  async named(name: string, region: string): Promise<readonly GcpDisk[]> {
    return await this.#list(`name = ${name}`, region);
  }

  /** Throws `MissingThingError`. */
  async get(zone: string, name: string): Promise<GcpDisk> {
    const path = `${this.#at(zone)}/disks/${name}`;
    return await this.#compute.client.compute({ method: 'GET', path, kind: 'look' });
  }

  async insert(zone: string, body: object, requestId: string): Promise<GcpOperation> {
    const path = `${this.#at(zone)}/disks?requestId=${requestId}`;
    return await this.#compute.change({ method: 'POST', path, body, kind: 'create' });
  }

  async delete(zone: string, name: string): Promise<void> {
    const path = `${this.#at(zone)}/disks/${name}`;
    await this.#compute.change({ method: 'DELETE', path, kind: 'end' });
  }

  async attach(zone: string, instance: string, name: string, deviceName: string) {
    const path = `${this.#at(zone)}/instances/${instance}/attachDisk`;
    const source = `projects/${this.#compute.project}/zones/${zone}/disks/${name}`;
    const body = { source, deviceName, mode: 'READ_WRITE', autoDelete: false };
    return await this.#compute.change({ method: 'POST', path, body, kind: 'create' });
  }

  async operation(zone: string, name: string): Promise<GcpOperation> {
    return await this.#compute.zoneOperation(zone, name);
  }

  async detach(zone: string, instance: string, deviceName: string): Promise<void> {
    const query = new URLSearchParams({ deviceName });
    const path = `${this.#at(zone)}/instances/${instance}/detachDisk?${query}`;
    await this.#compute.change({ method: 'POST', path, kind: 'end' });
  }

  /** Disks of a machine. Throws `MissingThingError` if there is no such machine. */
  async of(zone: string, instance: string): Promise<readonly AttachedDisk[]> {
    const path = `${this.#at(zone)}/instances/${instance}?fields=disks(source,deviceName)`;
    const found = await this.#compute.client.compute<{ readonly disks?: readonly AttachedDisk[] }>({
      ...{ method: 'GET', path, kind: 'look' },
    });
    return found?.disks ?? [];
  }

  #at(zone: string): string {
    return `/projects/${this.#compute.project}/zones/${zone}`;
  }

  /** Throws if a part that matters did not answer. */
  async #list(filter: string, region: string | null): Promise<readonly GcpDisk[]> {
    const { items: disks, unreachable } = await this.#compute.aggregated<'disks', GcpDisk>(
      'disks',
      {
        filter,
      },
    );
    const missing = region === null ? [...unreachable][0] : unreachableIn(region, unreachable);
    if (missing) throw new NoAnswerError(`GCP: ${missing} does not answer`);
    return disks.filter(
      ({ zone }) => region === null || regionOfZone(lastSegment(zone)) === region,
    );
  }
}
