/** Lists and removes the imports of a project: fleets and gateways that other projects export to it. */
import { notExists, ruleError } from '@dstack/contract/api';
import type { ListImportsResponse } from '@dstack/contract/wire';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { wireImport } from '../mapping/export.ts';
import type { HttpDeps } from '../ports.ts';
import { isSameName } from './named-things.ts';
import { exportEvent, sharingSignals } from './service.ts';

export async function listImports(
  deps: HttpDeps,
  project: ProjectRecord,
): Promise<ListImportsResponse> {
  const found = await deps.store.exports.imports(project.id);
  return { imports: found.map(wireImport), warnings: [] };
}

/**
 * One text for everything unknown: whether other projects and their exports exist must not be
 * revealed.
 */
export async function deleteImport(
  deps: HttpDeps,
  project: ProjectRecord,
  names: { readonly export_project_name: string; readonly export_name: string },
  actor: UserRecord,
): Promise<void> {
  const full = `${names.export_project_name}/${names.export_name}`;
  const found = (await deps.store.exports.imports(project.id)).find(
    ({ source }) =>
      source.export.name === names.export_name &&
      isSameName(source.projectName, names.export_project_name),
  );
  if (found === undefined) {
    throw notExists(`Import '${full}' not found in project '${project.name}'`);
  }
  if (found.source.export.isGlobal) {
    throw ruleError(`Import '${full}' is of a global export, which every project has`);
  }
  const events = [exportEvent('import.deleted', full, project, actor)];
  const signals = sharingSignals(found.source.fleets.map(({ id }) => id));
  await deps.store.exports.deleteImport(found.id, { events, signals });
}
