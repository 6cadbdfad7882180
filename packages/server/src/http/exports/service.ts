/**
 * The exports of a project to others. Changes are in `update.ts`, the importing side in `imports.ts`.
 */
import {
  accessDenied,
  alreadyExists,
  type CreateExportRequest,
  notExists,
  ruleError,
} from '@dstack/contract/api';
import type { Export, ListExportsResponse } from '@dstack/contract/wire';
import {
  fleetCapacity,
  type Id,
  type NewEvent,
  projectTarget,
  recordEvent,
  type Signal,
} from '@dstack/core';
import type { ExportView, ProjectRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import { wireExport } from '../mapping/export.ts';
import { checkName } from '../names.ts';
import type { HttpDeps } from '../ports.ts';
import { exportableFleets, exportableGateways, importersToAdd } from './named-things.ts';

export async function listExports(
  deps: HttpDeps,
  project: ProjectRecord,
): Promise<ListExportsResponse> {
  const found = await deps.store.exports.list(project.id);
  return { exports: found.map(wireExport), warnings: [] };
}

/** A global export has every other project as its importer, so it names none. */
export async function createExport(
  deps: HttpDeps,
  project: ProjectRecord,
  request: CreateExportRequest,
  actor: UserRecord,
): Promise<Export> {
  const { name, is_global: isGlobal } = request;
  checkName('export', name);
  if (isGlobal) checkMakesGlobal(actor);
  if (isGlobal && request.importer_projects.length > 0) {
    throw ruleError('A global export is imported by every project: name no `importer_projects`');
  }
  const content = {
    importers: await importersToAdd(deps, project, request.importer_projects, actor),
    fleets: await exportableFleets(deps, project, request.exported_fleets),
    gateways: await exportableGateways(deps, project, request.exported_gateways),
  };
  const { now, newId } = deps.context();
  const record = { id: newId(), projectId: project.id, name, isGlobal, createdAt: now };
  const events = [exportEvent('export.created', name, project, actor)];
  const signals = sharingSignals(content.fleets);
  const outcome = await deps.store.exports.insert(record, content, { events, signals });
  if (outcome === 'name-taken') throw alreadyExists(`Export '${name}' exists`);
  const view = await knownExport(deps, project, name);
  return wireExport(view);
}

/**
 * Runs of importing projects continue where they are; new ones no longer find the exported
 * resources.
 */
export async function deleteExport(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
  actor: UserRecord,
): Promise<void> {
  const view = await knownExport(deps, project, name);
  const events = [exportEvent('export.deleted', name, project, actor)];
  const signals = sharingSignals(view.fleets.map(({ id }) => id));
  await deps.store.exports.delete(view.export.id, { events, signals });
}

export async function knownExport(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
): Promise<ExportView> {
  const view = await deps.store.exports.byName(project.id, name);
  if (view === null) throw notExists(`Export '${name}' not found`);
  return view;
}

export function checkMakesGlobal(caller: UserRecord): void {
  if (caller.globalRole === 'admin') return;
  throw accessDenied('Access denied: only global admins may make an export global');
}

/**
 * Signals the projects that may use these fleets after the change: waiting runs may find capacity
 * there, or no longer need to leave capacity to a project that has lost access.
 */
export function sharingSignals(fleetIds: readonly Id[]): Signal[] {
  return [...new Set(fleetIds)].map(fleetCapacity);
}

/** The API has no target type for exports: the target of such an event is the project. */
export function exportEvent(
  action: 'export.created' | 'export.updated' | 'export.deleted' | 'import.deleted',
  name: string,
  project: ProjectRecord,
  actor: UserRecord,
): NewEvent {
  const targets = [projectTarget(project)];
  return recordEvent({ action, data: { name }, targets, actor: actorOf(actor) });
}
