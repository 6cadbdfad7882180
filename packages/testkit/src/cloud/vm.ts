/** A machine of an account, as the account knows it. */
import type { Random } from '../random.ts';
import type { VmType } from './capacity.ts';
import type { HostContainer, MetadataAnswer, MetadataRequest } from './hosts.ts';
import type { SshKey } from './keys.ts';

export interface VmOrder {
  readonly name: string;
  readonly type: VmType;
  readonly region: string;
  readonly image: string;
  readonly keys: readonly SshKey[];
  readonly userData: string | null;
  readonly tags: readonly CloudTag[];
  /** Whether it gets a public address. */
  readonly isPublic: boolean;
  /** The container, at providers whose machines are containers. */
  readonly container?: HostContainer;
}

/** `value` is null with providers whose tags are flat texts. */
export interface CloudTag {
  readonly key: string;
  readonly value: string | null;
}

export type VmState = 'pending' | 'running' | 'failed' | 'interrupted' | 'ending';

export interface Vm extends VmOrder {
  readonly id: string;
  /** In µs. */
  readonly createdAt: number;
  /** When it is due to be ready, or to fail; null = never. In µs. */
  readonly readyAt: number | null;
  /** When the provider reclaims it, or has done so; null = it does not. In µs. */
  readonly reclaimedAt: number | null;
  readonly state: VmState;
  /** Null: it has none, or none yet. */
  readonly address: string | null;
  readonly privateAddress: string;
  /** Why it failed, or was interrupted. */
  readonly problem: string | null;
}

export type VmMetadata = (vm: Vm, request: MetadataRequest) => MetadataAnswer;

export type CloudRandom = Pick<Random, 'whole' | 'chance'>;
