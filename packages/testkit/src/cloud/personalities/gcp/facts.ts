/** The resources of a project beside the machines of the account. */
import type { CloudAccount } from '../../account.ts';
import type { Fields } from '../../fields.ts';

export interface GcpPolicy {
  readonly region: string;
  readonly name: string;
  readonly description: string | null;
}

export interface GcpAddress {
  readonly region: string;
  readonly name: string;
  readonly address: string;
  readonly description: string | null;
}

export interface GcpFacts {
  /** The bodies of insertions, by the ids of machines. */
  readonly bodies: Map<string, Fields>;
  /** Operations by the ids of their requests. */
  readonly requests: Map<string, number>;
  /** Names of the rules of the firewall. */
  readonly firewalls: Set<string>;
  /** Names by which machines know their disks, by the ids of the disks. */
  readonly devices: Map<string, string>;
  /** By their paths. */
  readonly policies: Map<string, GcpPolicy>;
  /** Static addresses by their paths. */
  readonly addresses: Map<string, GcpAddress>;
  /** How many of them there may be. */
  mostAddresses: number;
  /** The number of the last one. */
  lastAddress: number;
  /** Static addresses that machines have, by the ids of the machines. */
  readonly natIps: Map<string, string>;
  /** Reserved capacity, in the form of Google; nothing uses it up. */
  readonly reservations: { readonly name: string; readonly zone: string }[];
  /** Zones that do not answer: lists name them, and lack their machines. */
  readonly unreachable: Set<string>;
  /** Permissions that the credentials lack. */
  readonly lacking: Set<string>;
  /** Limits of quotas, by metric; the use is always 0. */
  readonly quotas: Map<string, number>;
  /** Regions whose network has a router with NAT. */
  readonly nats: Set<string>;
}

const FACTS = new WeakMap<CloudAccount, GcpFacts>();

/** Tests may change all of them. */
export function gcpFactsOf(account: CloudAccount): GcpFacts {
  const facts = FACTS.get(account) ?? {
    ...{ bodies: new Map(), requests: new Map(), devices: new Map() },
    ...{ policies: new Map(), natIps: new Map() },
    ...{ addresses: new Map(), mostAddresses: 8, lastAddress: 0 },
    reservations: [],
    firewalls: new Set<string>(),
    ...{ unreachable: new Set<string>(), lacking: new Set<string>(), nats: new Set<string>() },
    quotas: new Map([
      ['CPUS', 72],
      ['NVIDIA_L4_GPUS', 8],
      ['NVIDIA_T4_GPUS', 4],
    ]),
  };
  FACTS.set(account, facts);
  return facts;
}
