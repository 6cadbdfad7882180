/** Host names of a service that belong to its users, not to the gateway. */
import { hostPathOf } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import { fixedDomain, type GatewayRecord } from '@dstack/core';
import type { ProjectRecord, ServiceBeside } from '@dstack/store';
import { proofOf } from '../../gateways/txt-records.ts';
import { ownNameWithin } from '../gateways/own-names.ts';
import type { HttpDeps } from '../ports.ts';

export interface CustomHostsCheck {
  readonly project: ProjectRecord;
  readonly gateway: Pick<GatewayRecord, 'name' | 'configuration' | 'wildcardDomain'>;
  /** That the service has now: they are proven. */
  readonly present: readonly string[];
}

/** Why the service cannot have these names; null = it can. Asks DNS. */
export async function customHostsRefusal(
  { readTxt, settings }: Pick<HttpDeps, 'readTxt' | 'settings'>,
  { hosts }: Pick<ServiceConfiguration, 'hosts'>,
  { project, gateway, present }: CustomHostsCheck,
): Promise<string | null> {
  if (!hosts?.length) return null;
  const { name, configuration, wildcardDomain } = gateway;
  if (configuration.backend_settings?.kubernetes?.service === 'Ingress') {
    return `Gateway '${name}' is behind an Ingress, whose rule names its domain only: remove \`hosts\``;
  }
  const domain = fixedDomain(wildcardDomain);
  const names = namesOf(hosts);
  const below = names.find((host) => host.endsWith(`.${domain}`));
  if (domain !== '' && below !== undefined) {
    return `${below} is below the domain of gateway '${name}', whose names are those of runs: name another one in \`hosts\``;
  }
  const proven = namesOf(present);
  const asked = names.filter((host) => !proven.includes(host));
  const own = asked.find((host) => ownNameWithin(settings, host, { isDomain: false }) !== null);
  if (own !== undefined) return `${own} is a name of this server: name another one in \`hosts\``;
  const proofs = await Promise.all(asked.map((host) => proofProblem(readTxt, host, project)));
  return proofs.find((problem) => problem !== null) ?? null;
}

/** A record proves a name for all paths. */
function namesOf(hosts: readonly string[]): string[] {
  return [...new Set(hosts.map((one) => hostPathOf(one).host))];
}

async function proofProblem(
  readTxt: HttpDeps['readTxt'],
  host: string,
  project: ProjectRecord,
): Promise<string | null> {
  const { name, value, record } = proofOf(host, project);
  try {
    const found = await readTxt(name);
    if (found.includes(value)) return null;
    return `DNS does not show that ${host} belongs to project ${project.name}. Create this record, then try again: ${record}`;
  } catch (error) {
    return `DNS does not answer whether ${host} belongs to project ${project.name} (${errorMessage(error)}). Try again; it must show this record: ${record}`;
  }
}

/** Names that other services behind the gateway have, and whose they are. */
export class TakenHosts {
  readonly #holders = new Map<string, Holder>();
  /** The projects whose pages share an origin: the paths of a name are for services of one project. */
  readonly #owners = new Map<string, Holder>();

  constructor(services: readonly ServiceBeside[]) {
    for (const { run, projectName: project } of services) {
      const { url = '', hosts = [] } = run.serviceSpec ?? {};
      for (const one of [URL.parse(url)?.hostname, ...hosts]) {
        if (!one) continue;
        const holder = { project, run: run.name };
        const { host } = hostPathOf(one);
        // The oldest keeps a name.
        if (!this.#holders.has(one)) this.#holders.set(one, holder);
        if (!this.#owners.has(host)) this.#owners.set(host, holder);
      }
    }
  }

  /** Whether another run has it; one of the same name is replaced. Names of other projects stay hidden. */
  refusal(host: string, project: string, run: string): string | null {
    const { host: name } = hostPathOf(host);
    const holder = this.#holders.get(host);
    if ([this.#owners.get(name), holder].some((one) => one && one.project !== project)) {
      return `${name} is a host name of a run of another project: remove it there first`;
    }
    if (!holder || holder.run === run) return null;
    return `${host} is a host name of run ${holder.run}: remove it there first`;
  }
}

interface Holder {
  readonly project: string;
  readonly run: string;
}
