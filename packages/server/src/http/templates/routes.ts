import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { TemplateCache } from './service.ts';

export function templateRoutes(on: On, deps: HttpDeps): void {
  const cache = new TemplateCache({
    source: deps.templates,
    now: () => deps.context().now,
    log: deps.log,
  });
  on('templates.list', async ({ project }) => {
    const url = project.templatesRepo ?? deps.settings.templatesRepo;
    return url === null ? [] : cache.list(url);
  });
}
