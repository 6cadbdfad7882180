import { useQuery } from '@tanstack/react-query';
import { explainQuery } from '../../data/runs/explain-query.ts';
import type { RunRow } from '../../data/runs/run-row.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { ExplanationView } from '../../domain/explain/explanation-view.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Panel } from '../../ui/panel/panel.tsx';

/** Why the run waits, starts slowly, is not ready, or failed. */
export function ExplainPanel({ run }: { readonly run: RunRow }) {
  const client = useClient();
  const kind = run.type === 'service' && run.status === 'running' ? 'services' : 'runs';
  const { data, error, refetch } = useQuery(explainQuery(client, run.project, kind, run.name));
  if (data !== undefined) return <ExplanationView explanation={data} />;
  return (
    <Panel title="Why">
      {error === null ? (
        <Skeleton lines={3} />
      ) : (
        <ErrorPanel
          title="The reason could not be loaded"
          error={error}
          onRetry={() => void refetch()}
        />
      )}
    </Panel>
  );
}
