/** Names and labels of the objects that this backend creates. */
import { createHash } from 'node:crypto';
import { InstanceType } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { ListedInstance } from '../base/instance-port.ts';
import type { OwnerTags } from '../base/owner-tags.ts';
import type { KubeObject, OwnerReference } from './api/objects.ts';

const PREFIX = 'k8s.dstack.ai';
const MAX_NAME = 63;
const MAX_LABEL = 63;
const DIGITS = 8;

/** Annotations: a label cannot contain every key and name. */
const KEY = `${PREFIX}/key`;
const OWNER = `${PREFIX}/owner`;

const INSTANCE = `${PREFIX}/instance-type`;
const ADDRESS = `${PREFIX}/address`;

export const SERVER_LABEL = `${PREFIX}/server`;

/** The label of everything that dstack creates, as in dstack 0.22.5. */
export const MANAGED = { 'app.kubernetes.io/managed-by': 'dstack' } as const;

/** The same key always gives the same name, so that a repeated creation meets the first one. */
export function objectName(parts: readonly string[], key: string, longest = MAX_NAME): string {
  const text = ['dstack', ...parts]
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-');
  return `${text.slice(0, longest - DIGITS - 1).replace(/-$/, '')}-${digest(key)}`;
}

/** A person may have copied an object with its labels and annotations, but not under the name of its key. */
export function isNamedBy(name: string, key: string | null): boolean {
  return key !== null && isOurName(name) && name.endsWith(`-${digest(key)}`);
}

const digest = (key: string): string =>
  createHash('sha256').update(key).digest('hex').slice(0, DIGITS);

export function isOurName(name: string): boolean {
  return name.startsWith('dstack-');
}

export interface Described {
  readonly name: string;
  readonly component: 'job' | 'volume' | 'gateway';
  readonly key: string;
  readonly owner: OwnerTags;
  /** Name of the run, volume or gateway. */
  readonly title: string;
  readonly user: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

export function labelsOf({ name, component, owner, title, user, tags }: Described) {
  return validLabels({
    ...tags,
    'app.kubernetes.io/name': `dstack-${component}`,
    'app.kubernetes.io/instance': name,
    ...MANAGED,
    ...labelsOfRun({ owner, title }),
    ...(user === null ? {} : { [`${PREFIX}/user`]: user }),
  });
}

/** Those by which the pods of a run are found. */
export function labelsOfRun({ owner, title }: Pick<Described, 'owner' | 'title'>) {
  return validLabels({
    [SERVER_LABEL]: owner.server,
    [`${PREFIX}/project`]: owner.project,
    [`${PREFIX}/name`]: title,
  });
}

/** On everything of one gateway. */
export const GATEWAY_LABEL = `${PREFIX}/gateway`;

export function claimLabels(server: string): Record<string, string> {
  return { 'app.kubernetes.io/name': 'dstack-claim', ...MANAGED, [SERVER_LABEL]: server };
}

export function annotationsOf({ key, owner }: Described): Record<string, string> {
  return { [KEY]: key, [OWNER]: JSON.stringify(owner) };
}

/** Labels that the API would refuse are left out, as in dstack 0.22.5. */
function validLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).filter(([name, value]) => isLabelName(name) && isLabelValue(value)),
  );
}

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const DOMAIN = /^[a-z0-9][a-z0-9.-]{0,252}$/;

function isLabelName(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return NAME.test(text);
  return DOMAIN.test(text.slice(0, slash)) && NAME.test(text.slice(slash + 1));
}

function isLabelValue(text: string): boolean {
  return text === '' || (text.length <= MAX_LABEL && NAME.test(text));
}

/**
 * The first mark of an object that belongs to dstack itself: a volume, pod or gateway of any server
 * and project, or a part of an installation (`deploy/`). Null for an object that a user made.
 */
export function dstackMarkOf({
  metadata: { labels = {}, annotations = {} },
}: KubeObject): string | null {
  const managed = Object.entries(MANAGED).find(([name, value]) => labels[name] === value);
  if (managed) return managed.join('=');
  const title = labels['app.kubernetes.io/name'];
  if (title !== undefined && /^dstack(-|$)/.test(title)) return `app.kubernetes.io/name=${title}`;
  const names = [...Object.keys(labels), ...Object.keys(annotations)];
  return names.find((name) => name.startsWith(`${PREFIX}/`)) ?? null;
}

export function keyOf({ metadata }: KubeObject): string | null {
  return metadata.annotations?.[KEY] ?? null;
}

/** The share of a node that a pod was ordered for. */
export function instanceAnnotation(instance: Offer['instance']): Record<string, string> {
  return { [INSTANCE]: JSON.stringify(instance) };
}

/** Instance type of the pod's order; without resources if a person has changed the annotation. */
export function instanceOf({ metadata }: KubeObject): Offer['instance'] {
  try {
    return InstanceType.parse(JSON.parse(metadata.annotations?.[INSTANCE] ?? ''));
  } catch {
    const resources = { cpus: 0, memory_mib: 0, gpus: [], spot: false, description: '' };
    return { name: '', resources: { ...resources, disk: { size_mib: 0 }, cpu_arch: null } };
  }
}

/** For a pod that others have to reach, so that its address must be known before it is used. */
export const ADDRESS_NEEDED: Readonly<Record<string, string>> = { [ADDRESS]: 'needed' };

export function needsAddress({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[ADDRESS] !== undefined;
}

/** The cluster deletes what a pod owns along with it. */
export function ownedBy({ metadata: { name, uid = '' } }: KubeObject): OwnerReference[] {
  return [{ apiVersion: 'v1', kind: 'Pod', name, uid }];
}

/** Returns the owner as far as the annotations contain it: a person may have changed them. */
export function ownerOf({ metadata }: KubeObject): ListedInstance['owner'] {
  const owner = ownerFields(metadata.annotations?.[OWNER]);
  const text = (name: keyof OwnerTags) => (typeof owner[name] === 'string' ? owner[name] : '');
  return {
    server: metadata.labels?.[SERVER_LABEL] ?? '',
    ...{ project: text('project'), fleet: text('fleet'), instance: text('instance') },
  };
}

function ownerFields(text: string | undefined): Partial<Record<keyof OwnerTags, string>> {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    // Edited by hand.
    return {};
  }
}
