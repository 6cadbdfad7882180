/** Changes of an export: what is added, what is removed, and whether all projects import it. */
import { ruleError, type UpdateExportRequest } from '@dstack/contract/api';
import type { Export } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { ExportChange, ExportView, ProjectRecord, UserRecord } from '@dstack/store';
import { wireExport } from '../mapping/export.ts';
import type { HttpDeps } from '../ports.ts';
import {
  exportableFleets,
  exportableGateways,
  importersToAdd,
  isSameName,
  refuseRepeated,
} from './named-things.ts';
import { checkMakesGlobal, exportEvent, knownExport, sharingSignals } from './service.ts';

export async function updateExport(
  deps: HttpDeps,
  project: ProjectRecord,
  request: UpdateExportRequest,
  actor: UserRecord,
): Promise<Export> {
  const view = await knownExport(deps, project, request.name);
  checkConsistent(request, view.export.isGlobal);
  if (request.set_global) checkMakesGlobal(actor);
  const change: ExportChange = {
    ...(request.set_global ? { isGlobal: true } : {}),
    ...(request.unset_global ? { isGlobal: false } : {}),
    ...(await additions(deps, project, request, actor)),
    ...removals(view, request),
  };
  const events = [exportEvent('export.updated', request.name, project, actor)];
  const fleets = [...view.fleets.map(({ id }) => id), ...(change.addFleets ?? [])];
  const signals = sharingSignals(fleets);
  await deps.store.exports.update(view.export.id, change, { events, signals });
  return wireExport(await knownExport(deps, project, request.name));
}

function checkConsistent(request: UpdateExportRequest, isGlobal: boolean): void {
  const { set_global, unset_global, add_importer_projects, remove_importer_projects } = request;
  const { name: _name, ...wanted } = request;
  const isEmpty = Object.values(wanted).every((part) => part === false || isEmptyList(part));
  if (isEmpty) throw ruleError('No changes specified');
  if (set_global && unset_global) {
    throw ruleError('`set_global` and `unset_global` cannot be used together');
  }
  const namesImporters = add_importer_projects.length + remove_importer_projects.length > 0;
  if ((set_global || unset_global) && namesImporters) {
    throw ruleError('Importers cannot be changed together with the global flag');
  }
  if (isGlobal && namesImporters) {
    throw ruleError(
      'The export is global, so every project imports it; unset global before its importers change',
    );
  }
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
  refuseBoth('Project', lower(add_importer_projects), lower(remove_importer_projects));
  refuseBoth('Fleet', request.add_exported_fleets, request.remove_exported_fleets);
  refuseBoth('Gateway', request.add_exported_gateways, request.remove_exported_gateways);
}

function isEmptyList(part: unknown): boolean {
  return Array.isArray(part) && part.length === 0;
}

function refuseBoth(what: string, added: readonly string[], removed: readonly string[]): void {
  const both = added.find((name) => removed.includes(name));
  if (both !== undefined) throw ruleError(`${what} '${both}' is to be both added and removed`);
}

/** Existing entries stay unchanged. */
async function additions(
  deps: HttpDeps,
  project: ProjectRecord,
  request: UpdateExportRequest,
  actor: UserRecord,
): Promise<ExportChange> {
  return {
    addImporters: await importersToAdd(deps, project, request.add_importer_projects, actor),
    addFleets: await exportableFleets(deps, project, request.add_exported_fleets),
    addGateways: await exportableGateways(deps, project, request.add_exported_gateways),
  };
}

function removals(view: ExportView, request: UpdateExportRequest): ExportChange {
  const isEqual = (a: string, b: string) => a === b;
  return {
    removeImporters: idsOf('Project', request.remove_importer_projects, view.importers, isSameName),
    removeFleets: idsOf('Fleet', request.remove_exported_fleets, view.fleets, isEqual),
    removeGateways: idsOf('Gateway', request.remove_exported_gateways, view.gateways, isEqual),
  };
}

function idsOf(
  what: string,
  names: readonly string[],
  present: readonly { readonly id: Id; readonly name: string }[],
  isSame: (a: string, b: string) => boolean,
): Id[] {
  refuseRepeated(what, names);
  return names.map((name) => {
    const found = present.find((part) => isSame(part.name, name));
    if (found === undefined) throw ruleError(`${what} '${name}' is not part of the export`);
    return found.id;
  });
}
