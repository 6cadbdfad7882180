import type { Backend } from '@dstack/backends';
import type { Store } from '@dstack/store';
import type { ProjectBackends } from '../offers/project-backends.ts';

/** A configured backend whose resources cost money. */
export interface SweptBackend {
  readonly project: { readonly id: string; readonly name: string };
  readonly backend: Backend;
}

export async function sweptBackends(
  store: Pick<Store, 'projects' | 'backends'>,
  backends: Pick<ProjectBackends, 'of'>,
): Promise<SweptBackend[]> {
  const projects = await store.projects.list({});
  const rows = await store.backends.list(projects.map(({ id }) => id));
  const configured = new Set(rows.map(({ projectId }) => projectId));
  const found: SweptBackend[] = [];
  for (const project of projects) {
    if (!configured.has(project.id)) continue;
    for (const backend of await backends.of(project.id)) {
      if (isSwept(backend)) found.push({ project, backend });
    }
  }
  return found;
}

/** SSH hosts and the server host exist independently of the server. */
function isSwept({ capabilities, instances, volumes, groups }: Backend): boolean {
  return capabilities.owner === 'provider' && (instances ?? volumes ?? groups) !== null;
}
