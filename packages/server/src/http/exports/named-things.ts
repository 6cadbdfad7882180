/** Resolves the names in a request for an export, and checks whether they may be exported. */
import { accessDenied, notExists, ruleError } from '@dstack/contract/api';
import type { Id } from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { confinement } from '../../callers/scope.ts';
import type { HttpDeps } from '../ports.ts';

/** Only SSH fleets: the owner would pay for other projects' use of cloud instances. */
export async function exportableFleets(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
): Promise<Id[]> {
  refuseRepeated('Fleet', names);
  const found = await deps.store.fleets.byNames(project.id, names);
  refuseUnknown(
    'Fleets',
    names,
    found.map(({ fleet }) => fleet.name),
  );
  const cloud = found.filter(({ fleet }) => fleet.spec.configuration.ssh_config === null);
  if (cloud.length > 0) {
    const listed = cloud.map(({ fleet }) => `'${fleet.name}'`).join(', ');
    throw ruleError(`Only SSH fleets can be exported; ${listed} is not one`);
  }
  return found.map(({ fleet }) => fleet.id);
}

export async function exportableGateways(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
): Promise<Id[]> {
  refuseRepeated('Gateway', names);
  const views = await Promise.all(
    names.map((name) => deps.store.gateways.byName(project.id, name)),
  );
  const found = views.flatMap((view) => (view === null ? [] : [view.gateway]));
  refuseUnknown(
    'Gateways',
    names,
    found.map((gateway) => gateway.name),
  );
  return found.map((gateway) => gateway.id);
}

/** A project only imports what one of its own admins has agreed to. */
export async function importersToAdd(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  caller: UserRecord,
): Promise<Id[]> {
  if (names.length > 0 && confinement(caller) !== null) {
    throw accessDenied(
      "Access denied: service tokens reach no other project than their own; use a user's own token",
    );
  }
  refuseRepeated(
    'Project',
    names.map((name) => name.toLowerCase()),
  );
  if (names.some((name) => isSameName(name, project.name))) {
    throw ruleError(`Project '${project.name}' cannot import its own export`);
  }
  const found = await deps.store.projects.byNames(names);
  const isGlobalAdmin = caller.globalRole === 'admin';
  const ids = found.map(({ id }) => id);
  const memberships = isGlobalAdmin ? [] : await deps.store.projects.memberships(caller.id, ids);
  const managed = new Set(
    memberships.filter(({ role }) => role === 'admin').map(({ projectId }) => projectId),
  );
  // Only global admins learn whether a project exists.
  const isRefused =
    !isGlobalAdmin && (found.length < names.length || !ids.every((id) => managed.has(id)));
  if (isRefused) {
    throw accessDenied('Access denied: you must be an admin of every project that is to import it');
  }
  refuseUnknown(
    'Projects',
    names,
    found.map(({ name }) => name),
    isSameName,
  );
  return ids;
}

export function refuseRepeated(what: string, names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw ruleError(`${what} '${repeated}' is named more than once`);
}

function refuseUnknown(
  what: string,
  wanted: readonly string[],
  found: readonly string[],
  isSame: (a: string, b: string) => boolean = (a, b) => a === b,
): void {
  const unknown = wanted.filter((name) => !found.some((other) => isSame(name, other)));
  if (unknown.length > 0) throw notExists(`${what} not found: ${unknown.join(', ')}`);
}

/** Names of projects are the same in any case. */
export function isSameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
