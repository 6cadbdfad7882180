/** The calls of Compute Engine that the adapter makes for machines, in one project. */
import { NoAnswerError } from '../base/errors.ts';
import type { RestCall } from '../base/rest-vm/rest-client.ts';
import { type GcpClient, type Query, withQuery } from './gcp-client.ts';
import type { OperationError } from './refusals.ts';

export interface GcpInstance {
  readonly name: string;
  /** URLs end with the names of what they are about. */
  readonly zone: string;
  readonly machineType: string;
  readonly status: string;
  readonly statusMessage?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly scheduling?: { readonly provisioningModel?: string };
  readonly guestAccelerators?: readonly {
    readonly acceleratorType: string;
    readonly acceleratorCount: number;
  }[];
  readonly networkInterfaces?: readonly {
    readonly networkIP?: string;
    readonly accessConfigs?: readonly { readonly natIP?: string }[];
  }[];
}

/** The machines of dstack in a project, and the parts of it that did not answer. */
export interface ListedInstances {
  readonly instances: readonly GcpInstance[];
  /** Zones and regions. */
  readonly unreachable: ReadonlySet<string>;
}

export interface GcpOperation {
  readonly name: string;
  readonly status: 'PENDING' | 'RUNNING' | 'DONE';
  readonly error?: { readonly errors?: readonly OperationError[] };
}

export interface GcpRegionFacts {
  readonly name: string;
  readonly status: string;
  readonly zones?: readonly string[];
  readonly quotas?: readonly {
    readonly metric: string;
    readonly limit: number;
    readonly usage: number;
  }[];
}

export interface UsableSubnetwork {
  readonly purpose?: string;
  readonly subnetwork: string;
  readonly network: string;
}

/** A static external address. */
export interface GcpAddress {
  readonly name: string;
  /** Empty or missing while Google looks for one. */
  readonly address?: string;
  /** URLs of what has it. */
  readonly users?: readonly string[];
  readonly description?: string;
}

/** The public address of a network interface, in the form of Google. */
export const EXTERNAL_NAT = { name: 'External NAT', type: 'ONE_TO_ONE_NAT' } as const;
const FIRST_INTERFACE = 'nic0';

interface Scoped<Key extends string, T> {
  readonly items?: Readonly<
    Record<string, { readonly [K in Key]?: readonly T[] } & { readonly warning?: Warning }>
  >;
  readonly unreachables?: readonly string[];
  readonly warning?: Warning;
  readonly nextPageToken?: string;
}

interface Warning {
  readonly code?: string;
}

interface Listed<T> {
  readonly items?: readonly T[];
  readonly nextPageToken?: string;
}

/** Warnings of lists that lack nothing. Any other one, also one that is new, may be about a part that is missing. */
const HARMLESS: ReadonlySet<string> = new Set(['NO_RESULTS_ON_PAGE', 'DEPRECATED_RESOURCE_USED']);
const SCOPE = /^[a-z]+-[a-z]+\d{1,2}(?:-[a-z])?$/;

/** Without metadata, which contains the user data of every machine. */
const INSTANCE_FIELDS = `nextPageToken,unreachables,warning,items/*/warning,items/*/instances(${[
  ...['name', 'zone', 'machineType', 'status', 'statusMessage', 'labels'],
  ...['scheduling/provisioningModel', 'guestAccelerators'],
  ...['networkInterfaces(networkIP,accessConfigs/natIP)'],
].join(',')})`;

export class Compute {
  readonly client: GcpClient;
  readonly project: string;

  constructor(client: GcpClient, project: string) {
    this.client = client;
    this.project = project;
  }

  /** All machines with the label of a key of dstack, in all zones. */
  async instances(keyLabel: string): Promise<ListedInstances> {
    const { items, unreachable } = await this.aggregated<'instances', GcpInstance>('instances', {
      ...{ filter: `labels.${keyLabel}:*`, fields: INSTANCE_FIELDS },
    });
    return { instances: items, unreachable };
  }

  /** Everything of a kind, of all zones or regions that answer. `project`: omitted = that of the machines. */
  async aggregated<Key extends string, T>(kind: Key, query: Query = {}, project = this.project) {
    const pages = await this.client.pages<Scoped<Key, T>>(
      `/projects/${project}/aggregated/${kind}`,
      // Otherwise one zone without an answer is an error of the whole list.
      { ...query, returnPartialSuccess: true },
    );
    const scopes = pages.flatMap(({ items = {} }) => Object.entries(items));
    const isPart = ({ warning }: { readonly warning?: Warning }) =>
      warning?.code !== undefined && !HARMLESS.has(warning.code);
    const unreachable = new Set([
      ...pages.flatMap(({ unreachables = [] }) => unreachables).map(lastSegment),
      ...scopes.filter(([, scope]) => isPart(scope)).map(([name]) => lastSegment(name)),
    ]);
    const unknown = [...unreachable].find((name) => !SCOPE.test(name));
    if (unknown !== undefined || (unreachable.size === 0 && pages.some(isPart))) {
      throw new NoAnswerError(
        `GCP: a list of ${kind} that lacks a part${unknown ? `: ${unknown}` : ''}`,
      );
    }
    const items = scopes.flatMap(([, scope]): readonly T[] => scope[kind] ?? []);
    return { items, unreachable };
  }

  /** `requestId`: Google answers a repetition with the first operation, for about an hour. */
  async insertInstance(zone: string, body: object, requestId: string, signal?: AbortSignal) {
    const path = withQuery(`${this.#path}/zones/${zone}/instances`, { requestId });
    return await this.change({ method: 'POST', path, body, kind: 'create', signal });
  }

  async deleteInstance(zone: string, name: string): Promise<GcpOperation> {
    const path = `${this.#path}/zones/${zone}/instances/${name}`;
    return await this.change({ method: 'DELETE', path, kind: 'end' });
  }

  /** Throws `MissingThingError`. */
  async instance(zone: string, name: string): Promise<GcpInstance> {
    return await this.#get(`/zones/${zone}/instances/${name}`);
  }

  async zoneOperation(zone: string, name: string): Promise<GcpOperation> {
    return operationIn(await this.#get(`/zones/${zone}/operations/${name}`));
  }

  /** With the quotas of each. */
  async regions(): Promise<readonly GcpRegionFacts[]> {
    const pages = await this.client.pages<Listed<GcpRegionFacts>>(`${this.#path}/regions`);
    return pages.flatMap(({ items = [] }) => items);
  }

  /** Subnetworks in which the credentials may put machines. `hostProject`: that of their network. */
  async usableSubnetworks(hostProject: string): Promise<readonly UsableSubnetwork[]> {
    const path = `/projects/${hostProject}/aggregated/subnetworks/listUsable`;
    const pages = await this.client.pages<Listed<UsableSubnetwork>>(path);
    return pages.flatMap(({ items = [] }) => items);
  }

  async routers(): Promise<readonly GcpRouter[]> {
    return (await this.aggregated<'routers', GcpRouter>('routers')).items;
  }

  async insertFirewall(body: object): Promise<void> {
    const path = `${this.#path}/global/firewalls`;
    await this.change({ method: 'POST', path, body, kind: 'look' });
  }

  /** Gives a machine without a public address this one. */
  async addAccessConfig(zone: string, instance: string, natIP: string): Promise<void> {
    const path = `${this.#path}/zones/${zone}/instances/${instance}/addAccessConfig?networkInterface=${FIRST_INTERFACE}`;
    const body = { ...EXTERNAL_NAT, natIP };
    await this.change({ method: 'POST', path, body, kind: 'look' });
  }

  /** The static addresses of a region. */
  async addresses(region: string): Promise<readonly GcpAddress[]> {
    const path = `${this.#path}/regions/${region}/addresses`;
    const pages = await this.client.pages<Listed<GcpAddress>>(path);
    return pages.flatMap(({ items = [] }) => items);
  }

  /** Throws `MissingThingError`. */
  async address(region: string, name: string): Promise<GcpAddress> {
    return await this.#get(`/regions/${region}/addresses/${name}`);
  }

  async insertAddress(region: string, body: object): Promise<void> {
    const path = `${this.#path}/regions/${region}/addresses`;
    await this.change({ method: 'POST', path, body, kind: 'create' });
  }

  async deleteAddress(region: string, name: string): Promise<void> {
    const path = `${this.#path}/regions/${region}/addresses/${name}`;
    await this.change({ method: 'DELETE', path, kind: 'end' });
  }

  /** Whether there is such a project, which the credentials can see. */
  async projectFacts(): Promise<void> {
    await this.#get('');
  }

  /** A call that is answered with an operation. */
  async change(call: RestCall): Promise<GcpOperation> {
    return operationIn(await this.client.compute<unknown>(call));
  }

  get #path(): string {
    return `/projects/${this.project}`;
  }

  async #get<T>(path: string): Promise<T> {
    return await this.client.compute({ method: 'GET', path: `${this.#path}${path}`, kind: 'look' });
  }
}

export interface GcpRouter {
  readonly region: string;
  readonly network: string;
  readonly nats?: readonly unknown[];
}

/** The name at the end of a URL. */
export function lastSegment(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1);
}

/** `us-central1` of `us-central1-a`. */
export function regionOfZone(zone: string): string {
  return zone.slice(0, zone.lastIndexOf('-'));
}

/** The part of a region that is among these; null = none is. */
export function unreachableIn(region: string, names: ReadonlySet<string>): string | null {
  return [...names].find((name) => name === region || regionOfZone(name) === region) ?? null;
}

/** An answer of another form leaves open what has been carried out. */
function operationIn(answer: unknown): GcpOperation {
  const { name, status } = (answer ?? {}) as Partial<GcpOperation>;
  if (typeof name === 'string' && typeof status === 'string') return answer as GcpOperation;
  throw new NoAnswerError('GCP: an answer that is not an operation');
}
