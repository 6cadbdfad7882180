import { projectChange } from '../changes/record-change.ts';
import type { StoreContext } from '../context.ts';
import type { Retention } from './types.ts';

type Projects = Pick<Retention, 'projects' | 'ofProject' | 'setOfProject'>;

export function createProjectRetention(context: StoreContext): Projects {
  const { db } = context;
  return {
    async projects() {
      const rows = await db
        .selectFrom('projects as p')
        .leftJoin('project_retention as r', 'r.project_id', 'p.id')
        .select(['p.id', 'r.runs_seconds', 'r.logs_seconds', 'r.logs_finished_at', 'r.logs_job_id'])
        .orderBy('p.id')
        .execute();
      return rows.map((row) => ({
        projectId: row.id,
        runsSeconds: row.runs_seconds,
        logsSeconds: row.logs_seconds,
        logsDeletedTo: { finishedAt: row.logs_finished_at ?? 0, jobId: row.logs_job_id ?? '' },
      }));
    },
    async ofProject(projectId) {
      const row = await db
        .selectFrom('project_retention')
        .select(['runs_seconds', 'logs_seconds'])
        .where('project_id', '=', projectId)
        .executeTakeFirst();
      return { runsSeconds: row?.runs_seconds ?? null, logsSeconds: row?.logs_seconds ?? null };
    },
    setOfProject: (projectId, { runsSeconds, logsSeconds }) =>
      context.write(async ({ tx, changed }) => {
        const set = { runs_seconds: runsSeconds, logs_seconds: logsSeconds };
        changed(projectChange(projectId, 'settings'));
        await tx
          .insertInto('project_retention')
          .values({ project_id: projectId, ...set, logs_finished_at: 0, logs_job_id: '' })
          .onConflict((conflict) => conflict.column('project_id').doUpdateSet(set))
          .execute();
      }),
  };
}
