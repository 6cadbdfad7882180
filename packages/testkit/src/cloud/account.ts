/** An account at a simulated provider: everything in it, of all owners, whatever API is in front of it. */
import { randomUUID } from 'node:crypto';
import type { CloudCatalog, VmType } from './capacity.ts';
import type { CloudClock } from './clock.ts';
import type { CloudFaults } from './faults.ts';
import type { VmHosts } from './hosts.ts';
import { SshKeys } from './keys.ts';
import { Operations } from './operations.ts';
import { Refusal } from './refusal.ts';
import type { CloudRandom, VmMetadata } from './vm.ts';
import { Vms } from './vms.ts';
import { CloudVolumes } from './volumes.ts';

export interface CloudAccountOptions {
  readonly clock: CloudClock;
  readonly random: CloudRandom;
  readonly faults: () => CloudFaults;
  readonly catalog: CloudCatalog;
  readonly loginUser: string;
  readonly hosts: VmHosts | null;
  readonly metadata?: VmMetadata;
  /** Ids in the provider's form; by default 32 hexadecimal digits. */
  readonly ids?: Partial<CloudIds>;
}

export interface CloudIds {
  readonly vm: (sequence: number) => string;
  readonly key: () => string;
  readonly volume: () => string;
}

export class CloudAccount {
  readonly clock: CloudClock;
  readonly catalog: CloudCatalog;
  readonly faults: () => CloudFaults;
  readonly vms: Vms;
  readonly keys: SshKeys;
  readonly volumes: CloudVolumes;
  readonly operations: Operations;

  constructor(options: CloudAccountOptions) {
    const { clock, catalog, faults, ids = {} } = options;
    this.clock = clock;
    this.catalog = catalog;
    this.faults = faults;
    this.keys = new SshKeys(ids.key ?? hexId);
    this.volumes = new CloudVolumes({ ...options, newId: ids.volume ?? randomUUID });
    this.operations = new Operations(clock);
    this.vms = new Vms({
      ...options,
      newId: ids.vm ?? hexId,
      metadata: options.metadata ?? null,
      onEnded: (id) => this.volumes.detachAll(id),
    });
  }

  requireType(name: string): VmType {
    const type = this.catalog.types.find((one) => one.name === name);
    if (type) return type;
    throw new Refusal('invalid', `no type ${name}`, { what: name });
  }

  requireRegion(name: string): string {
    if (this.catalog.regions.some((one) => one.name === name)) return name;
    throw new Refusal('invalid', `no region ${name}`, { what: name });
  }

  /** From now on a region has no machine of this type. */
  sellOut(type: string, region: string): void {
    this.vms.capacity.set(type, region, 0);
  }
}

export const hexId = () => randomUUID().replaceAll('-', '');
