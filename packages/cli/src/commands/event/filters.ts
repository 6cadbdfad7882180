import type { ListEventsQuery } from '@dstack/client';
import type { Connection } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { entityReference, orNotFound } from '../../resource-error.ts';
import { findRun } from '../../runs/get-run.ts';

type TargetKind = 'fleet' | 'run' | 'volume' | 'gateway' | 'secret';
type WithinKind = 'fleet' | 'run' | 'gateway';

export interface EventFilters {
  readonly targets: Readonly<Record<TargetKind, readonly string[]>>;
  readonly within: Readonly<Record<WithinKind, readonly string[]>>;
  readonly types: readonly string[];
}

/**
 * Resolves names to ids, one request each. Without a filter the events of the whole project count.
 */
export async function resolveFilters(
  filters: EventFilters,
  connection: Connection,
): Promise<ListEventsQuery> {
  const target = onlyOne('--target', filters.targets);
  const within = onlyOne('--within', filters.within);
  const query: Record<string, readonly string[]> = {};
  if (target !== null) query[`target_${target.kind}s`] = await idsOf(target, connection);
  if (within !== null) query[`within_${within.kind}s`] = await idsOf(within, connection);
  if (target === null && within === null) {
    const project = await connection.client.projects.get(connection.project.name);
    query.within_projects = [project.project_id];
  }
  if (filters.types.length > 0) query.include_target_types = filters.types;
  return query;
}

interface Named {
  readonly kind: TargetKind;
  readonly names: readonly string[];
}

function onlyOne(
  option: string,
  kinds: Readonly<Partial<Record<TargetKind, readonly string[]>>>,
): Named | null {
  const given = Object.entries(kinds).filter(([, names]) => names.length > 0);
  if (given.length > 1) {
    const flags = given.map(([kind]) => `${option}-${kind}`);
    throw new UsageError(`${flags.join(' and ')} cannot be used together`);
  }
  const [kind, names] = given[0] ?? [];
  return kind === undefined || names === undefined ? null : { kind: kind as TargetKind, names };
}

function idsOf({ kind, names }: Named, connection: Connection): Promise<string[]> {
  return Promise.all(names.map((name) => idOf(kind, name, connection)));
}

async function idOf(kind: TargetKind, text: string, connection: Connection): Promise<string> {
  if (kind === 'run') return (await findRun(connection, text)).id;
  const { project: owner, name } = entityReference(text);
  const project = owner === null ? connection.project : connection.client.project(owner);
  const get: Record<Exclude<TargetKind, 'run'>, () => Promise<{ id: string }>> = {
    fleet: () => project.fleets.get({ name }),
    volume: () => project.volumes.get(name),
    gateway: () => project.gateways.get(name),
    secret: () => project.secrets.get(name),
  };
  const title = kind.charAt(0).toUpperCase() + kind.slice(1);
  const { id } = await orNotFound(`${title} ${text}`, `dstack ${kind} list`, get[kind]);
  return id;
}
