import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { deleteImport, listImports } from './imports.ts';
import { createExport, deleteExport, listExports } from './service.ts';
import { updateExport } from './update.ts';

export function exportRoutes(on: On, deps: HttpDeps): void {
  on('exports.list', ({ project }) => listExports(deps, project));
  on('exports.create', ({ project, body, user }) => createExport(deps, project, body, user));
  on('exports.update', ({ project, body, user }) => updateExport(deps, project, body, user));
  on('exports.delete', async ({ project, body, user }) => {
    await deleteExport(deps, project, body.name, user);
    return null;
  });
  on('imports.list', ({ project }) => listImports(deps, project));
  on('imports.delete', async ({ project, body, user }) => {
    await deleteImport(deps, project, body, user);
    return null;
  });
}
