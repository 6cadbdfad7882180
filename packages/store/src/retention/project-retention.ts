import { projectChange } from '../changes/record-change.ts';
import type { StoreContext } from '../context/context.ts';
import type { Retention, RetentionOfProject } from './types.ts';

type Projects = Pick<Retention, 'projects' | 'ofProject' | 'setOfProject'>;

const OWN = ['r.runs_seconds', 'r.logs_seconds', 'r.events_seconds', 'r.metrics_seconds'] as const;

export function createProjectRetention(context: StoreContext): Projects {
  const { db } = context;
  return {
    async projects() {
      const rows = await db
        .selectFrom('projects as p')
        .leftJoin('project_retention as r', 'r.project_id', 'p.id')
        .select(['p.id', ...OWN, 'r.logs_finished_at', 'r.logs_job_id'])
        .select(['r.metrics_finished_at', 'r.metrics_job_id'])
        .orderBy('p.id')
        .execute();
      return rows.map((row) => ({
        ...ownOf(row),
        projectId: row.id,
        logsDeletedTo: { finishedAt: row.logs_finished_at ?? 0, jobId: row.logs_job_id ?? '' },
        metricsDeletedTo: {
          finishedAt: row.metrics_finished_at ?? 0,
          jobId: row.metrics_job_id ?? '',
        },
      }));
    },
    async ofProject(projectId) {
      const row = await db
        .selectFrom('project_retention as r')
        .select(OWN)
        .where('project_id', '=', projectId)
        .executeTakeFirst();
      return ownOf(row ?? null);
    },
    setOfProject: (projectId, own) =>
      context.write(async ({ tx, changed }) => {
        const set = {
          runs_seconds: own.runsSeconds,
          logs_seconds: own.logsSeconds,
          events_seconds: own.eventsSeconds,
          metrics_seconds: own.metricsSeconds,
        };
        changed(projectChange(projectId, 'settings'));
        await tx
          .insertInto('project_retention')
          .values({ project_id: projectId, ...set, logs_finished_at: 0, logs_job_id: '' })
          .onConflict((conflict) => conflict.column('project_id').doUpdateSet(set))
          .execute();
      }),
  };
}

interface OwnColumns {
  readonly runs_seconds: number | null;
  readonly logs_seconds: number | null;
  readonly events_seconds: number | null;
  readonly metrics_seconds: number | null;
}

const ownOf = (row: OwnColumns | null): RetentionOfProject => ({
  runsSeconds: row?.runs_seconds ?? null,
  logsSeconds: row?.logs_seconds ?? null,
  eventsSeconds: row?.events_seconds ?? null,
  metricsSeconds: row?.metrics_seconds ?? null,
});
