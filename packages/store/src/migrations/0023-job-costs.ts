import { createIndex, type Migration } from './ddl.ts';

/** The jobs of a project by their end: costs of a period are read in pages. */
export const jobCosts: Migration = {
  name: 'order of jobs by their end',
  async up(c) {
    await createIndex(c, 'jobs', 'project_id, finished_at, id');
  },
};
