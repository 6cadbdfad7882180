import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { projectRetention, setProjectRetention } from './project-retention.ts';
import { UsageReport } from './usage.ts';

export function retentionRoutes(on: On, deps: HttpDeps): void {
  const usage = new UsageReport(deps);
  on('server.usage', () => usage.read());
  on('projects.get_retention', ({ project }) => projectRetention(deps, project));
  on('projects.set_retention', ({ project, body, user }) =>
    setProjectRetention(deps, project, body, user),
  );
}
