/** Finds the owner of a domain before the operator's DNS hook sets a record that proves it to an authority. */
import { errorMessage } from '@dstack/contract/error-message';
import { fixedDomain, type GatewayRecord, isWithinDomain } from '@dstack/core';
import type { ProjectRecord, Store } from '@dstack/store';
import { proofOf, type ReadTxt } from './txt-records.ts';

/** Domains that the operator has given to projects, by the name of the project in lower case. */
export type GatewayDomains = ReadonlyMap<string, readonly string[]>;

export interface DomainProofOptions {
  readonly domains: GatewayDomains;
  readonly readTxt: ReadTxt;
  readonly gateways: Pick<Store['gateways'], 'unprovenDomain'>;
}

/** `earlier`: not proven, but the gateway had it before that was necessary. */
export type DomainProof =
  | { readonly kind: 'proven' }
  | { readonly kind: 'earlier' | 'unproven'; readonly text: string };

type ProvenGateway = Pick<GatewayRecord, 'wildcardDomain'> & {
  /** Null: it does not exist yet. */
  readonly id: GatewayRecord['id'] | null;
};

const PROVEN: DomainProof = { kind: 'proven' };

/** `name`: at or below the domain of the gateway, in lower case. Asks DNS. */
export async function domainProof(
  { domains, readTxt, gateways }: DomainProofOptions,
  project: Pick<ProjectRecord, 'id' | 'name'>,
  { id, wildcardDomain }: ProvenGateway,
  name: string,
): Promise<DomainProof> {
  const given = domains.get(project.name.toLowerCase()) ?? [];
  if (given.some((domain) => isWithinDomain(name, domain))) return PROVEN;
  const own = fixedDomain(wildcardDomain);
  const zone = isWithinDomain(name, own) ? own : name;
  const problem = await recordProblem(readTxt, zone, project);
  if (problem === null) return PROVEN;
  const text = `${problem}; or the operator of the server adds ${project.name}=${zone} to DSTACK_GATEWAY_DOMAINS`;
  const earlier = id === null ? null : await gateways.unprovenDomain(id);
  const isEarlier = earlier !== null && fixedDomain(earlier) === own && zone === own;
  return { kind: isEarlier ? 'earlier' : 'unproven', text };
}

async function recordProblem(
  readTxt: ReadTxt,
  zone: string,
  project: Pick<ProjectRecord, 'id' | 'name'>,
): Promise<string | null> {
  const { name, value, record } = proofOf(zone, project);
  const asked = `The DNS hook of this server sets records for project ${project.name} only in its own domains, and ${zone}`;
  try {
    if ((await readTxt(name)).includes(value)) return null;
    return `${asked} is not proven to be one. Create this record, then try again: ${record}`;
  } catch (error) {
    return `${asked} cannot be checked (${errorMessage(error)}). DNS must show this record: ${record}`;
  }
}
