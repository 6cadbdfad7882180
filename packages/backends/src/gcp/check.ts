/** Asks Google which permissions the credentials have, and for the network of each region. Creates nothing. */
import { errorMessage } from '@dstack/contract/error-message';
import { BusyError, CredentialsError, NoAnswerError } from '../base/errors.ts';
import type { CheckResult } from '../base/port.ts';
import { type Compute, lastSegment } from './compute.ts';
import type { Networks } from './networks.ts';
import { GATEWAY_PERMISSIONS, HOST_PERMISSIONS, PERMISSIONS } from './permissions.ts';
import type { GcpSettings } from './settings.ts';

export interface GcpCheckOptions {
  readonly compute: Compute;
  readonly networks: Networks;
  readonly settings: GcpSettings;
}

export async function checkGcp(options: GcpCheckOptions): Promise<readonly CheckResult[]> {
  const { compute, settings } = options;
  const { project, network, regions } = settings;
  const accepted = await checked(`the credentials are accepted for project ${project}`, () =>
    compute.projectFacts(),
  );
  if (!accepted.ok) return [accepted];
  const results = await Promise.all([
    checkedPermissions(compute, project, [...PERMISSIONS, ...GATEWAY_PERMISSIONS]),
    ...(network.hostProject === null
      ? []
      : [checkedPermissions(compute, network.hostProject, HOST_PERMISSIONS)]),
    ...regions.map(async (region) => [await checkedNetwork(options, region)]),
    checkedNats(options),
  ]);
  return [accepted, ...results.flat()];
}

/** One result for each permission. Without those for gateways all others can be done: they are advice. */
async function checkedPermissions(
  compute: Compute,
  project: string,
  wanted: readonly string[],
): Promise<readonly CheckResult[]> {
  const found = { held: [] as readonly string[] };
  const asked = await checked(`the permissions in project ${project}`, async () => {
    const path = `/projects/${project}:testIamPermissions`;
    const body = { permissions: wanted };
    const answer = await compute.client.projects<{
      readonly permissions?: readonly string[];
    } | null>({ method: 'POST', path, body, kind: 'look' });
    found.held = answer?.permissions ?? [];
  });
  if (!asked.ok) return [asked];
  return wanted.map((name) => {
    const isHeld = found.held.includes(name);
    const isForGateways = GATEWAY_PERMISSIONS.includes(name);
    const purpose = isForGateways ? ', which only gateways need,' : '';
    const problem = isHeld ? null : `${name}${purpose} is missing in project ${project}: ${GRANT}`;
    return { name: `gcp: ${name}`, ok: isHeld || isForGateways, problem };
  });
}

const GRANT =
  'add it to the role of docs/backends.md, and give that to the account of the credentials';

async function checkedNetwork({ networks }: GcpCheckOptions, region: string): Promise<CheckResult> {
  return await checked(
    `a network for machines in ${region}`,
    async () => void (await networks.place(region)),
  );
}

/** Without public addresses machines reach the internet through a router with NAT. */
async function checkedNats({ compute, networks, settings }: GcpCheckOptions) {
  const { isPublic, checksNat, hostProject } = settings.network;
  if (isPublic || !checksNat || hostProject !== null) return [];
  const found = { regions: new Set<string>() };
  const asked = await checked('the routers', async () => {
    const path = `/projects/${settings.project}/global/networks/${networks.vpc}`;
    const routers = (await compute.routers()).filter(
      ({ network, nats = [] }) => network.endsWith(path) && nats.length > 0,
    );
    found.regions = new Set(routers.map(({ region }) => lastSegment(region)));
  });
  if (!asked.ok) return [asked];
  return settings.regions.map((region) => {
    const ok = found.regions.has(region);
    const problem = `VPC ${networks.vpc} has no router with Cloud NAT in ${region}, so machines without public addresses do not reach the internet: make one, or set nat_check: false`;
    return { name: `gcp: a way to the internet in ${region}`, ok, problem: ok ? null : problem };
  });
}

async function checked(name: string, check: () => Promise<void>): Promise<CheckResult> {
  try {
    await check();
    return { name: `gcp: ${name}`, ok: true, problem: null };
  } catch (error) {
    return {
      ...{ name: `gcp: ${name}`, ok: false, problem: errorMessage(error) },
      unanswered: error instanceof NoAnswerError || error instanceof BusyError,
      refused: error instanceof CredentialsError,
    };
  }
}
