import type { Project } from '@dstack/contract/wire';
import { createContext, useContext } from 'react';
import { useUser } from '../../data/session/session-context.tsx';
import { type ProjectRights, projectRights } from '../../domain/projects/project-rights.ts';

export const ProjectContext = createContext<Project | null>(null);

/** The project whose page is shown. */
export function useProject(): Project {
  const project = useContext(ProjectContext);
  if (project === null) throw new Error('ProjectContext is missing');
  return project;
}

/** The rights of the user in the project of the page. */
export function useProjectRights(): ProjectRights {
  return projectRights(useProject(), useUser());
}
