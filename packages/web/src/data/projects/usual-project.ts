import { useQuery } from '@tanstack/react-query';
import { useClient } from '../session/session-context.tsx';
import { projectList } from './project-queries.ts';

const USED = 'dstack-project';

/** The project that pages use if their address names none; `names`: those of the user, the newest first. */
export function usualProject(names: readonly string[], used: string | null): string | null {
  if (used !== null && names.includes(used)) return used;
  return names.includes('main') ? 'main' : (names.at(-1) ?? null);
}

/** Null while the projects of the user are not known yet. */
export function useUsualProject(): string | null {
  const { data } = useQuery(projectList(useClient()));
  return data === undefined ? null : usualProject(data.map(nameOf), lastUsed());
}

/** The user is in no project, as far as the server has answered. */
export function useHasNoProject(): boolean {
  const { data } = useQuery(projectList(useClient()));
  return data?.length === 0;
}

const nameOf = (project: { readonly project_name: string }) => project.project_name;

/** The user has chosen this one. */
export function rememberProject(name: string): void {
  try {
    localStorage.setItem(USED, name);
  } catch {
    // Storage is full or switched off; the next page uses the default again.
  }
}

function lastUsed(): string | null {
  try {
    return localStorage.getItem(USED);
  } catch {
    return null;
  }
}
