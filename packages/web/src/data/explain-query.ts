import type { Client } from '@dstack/client';
import type { ExplainKind, Explanation } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

/** Why something waits or failed. The first part of the key is the type of the subject's changes. */
export function explainQuery(client: Client, project: string, kind: ExplainKind, name: string) {
  const type = kind === 'services' ? 'run' : kind.slice(0, -1);
  return queryOptions<Explanation>({
    queryKey: [type, 'explain', project, kind, name],
    queryFn: ({ signal }) => client.project(project).explain(kind, name, { signal }),
  });
}
