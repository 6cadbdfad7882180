import type { StoreContext } from '../context/context.ts';
import { createDatabaseUse } from './database-use.ts';
import { createEndedResources } from './ended-resources.ts';
import { createEndedRuns } from './ended-runs.ts';
import { createLogDeletions } from './log-deletions.ts';
import { createMetricMeans } from './metric-means.ts';
import { createOwnPeriods } from './own-periods.ts';
import { createProjectRetention } from './project-retention.ts';
import type { Retention } from './types.ts';
import { createUploadRetention } from './uploads.ts';

export function createRetention(context: StoreContext): Retention {
  return {
    ...createProjectRetention(context),
    ...createLogDeletions(context),
    ...createEndedRuns(context),
    ...createUploadRetention(context),
    ...createMetricMeans(context),
    ...createOwnPeriods(context),
    ...createEndedResources(context),
    ...createDatabaseUse(context),
  };
}
