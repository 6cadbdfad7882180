/** Whether DNS leads clients to the host names of a service, asked while a user waits for the answer. */
import { hostPathOf } from '@dstack/contract';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { RunRecord } from '@dstack/core';
import type { GatewayView, ProjectRecord } from '@dstack/store';
import { proofOf } from '../../gateways/txt-records.ts';
import type { HttpDeps } from '../ports.ts';

const LIMIT_MS = 2000;
/** Names that are looked up, and addresses of the gateway that they are compared with. */
const MOST_NAMES = 5;
const MOST_ADDRESSES = 3;

export interface AskedNames {
  readonly run: Pick<RunRecord, 'serviceSpec'>;
  readonly project: Pick<ProjectRecord, 'id' | 'name'>;
  readonly gateway: Pick<GatewayView, 'reports'>;
}

type Dns = Pick<HttpDeps, 'readTxt' | 'findDnsProblem'>;

/** The changes that users have to make in DNS for host names of their own. */
export async function hostNameProblems(
  dns: Dns,
  asked: AskedNames,
  limitMs = LIMIT_MS,
): Promise<string[]> {
  const own = (asked.run.serviceSpec?.hosts ?? []).map((one) => hostPathOf(one).host);
  const names = [...new Set(own)].slice(0, MOST_NAMES);
  const problems = await Promise.all(
    names.map((name) =>
      withTimeout(() => problemOf(dns, name, asked), {
        ms: limitMs,
        onTimeout: () => `DNS has not answered within ${limitMs / 1000} s about ${name}`,
      }),
    ),
  );
  return problems.flatMap((problem) => problem ?? []);
}

async function problemOf(dns: Dns, name: string, asked: AskedNames): Promise<string | null> {
  const [leads, proof] = await Promise.all([
    addressProblem(dns, name, asked),
    proofProblem(dns, name, asked),
  ]);
  return leads ?? proof;
}

/** Null: it leads to one of the replicas. */
async function addressProblem(
  { findDnsProblem }: Dns,
  name: string,
  { gateway }: AskedNames,
): Promise<string | null> {
  const known = new Set(gateway.reports.flatMap(({ hostname }) => hostname ?? []));
  const addresses = known.size === 0 ? [null] : [...known].slice(0, MOST_ADDRESSES);
  const found = await Promise.all(
    addresses.map((address) => findDnsProblem(name, { address, isOwn: true })),
  );
  return found.includes(null) ? null : (found[0] ?? null);
}

/** The name stays with the service; its next run needs the record. */
async function proofProblem(
  { readTxt }: Dns,
  host: string,
  { project }: AskedNames,
): Promise<string | null> {
  const { name, value, record } = proofOf(host, project);
  try {
    if ((await readTxt(name)).includes(value)) return null;
  } catch {
    // A failed lookup does not matter while the name leads to the gateway.
    return null;
  }
  return `DNS does not show any more that ${host} belongs to project ${project.name}: it is served, but another run cannot take the name without the record ${record}`;
}
