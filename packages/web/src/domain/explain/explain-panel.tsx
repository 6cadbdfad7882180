import type { ExplainKind } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { explainQuery } from '../../data/explain-query.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { ExplanationView } from './explanation-view.tsx';

interface ExplainPanelProps {
  readonly project: string;
  readonly kind: ExplainKind;
  readonly name: string;
  /** Below the reason. */
  readonly children?: ReactNode;
}

/** Why something waits, failed, or is as it is. */
export function ExplainPanel({ project, kind, name, children }: ExplainPanelProps) {
  const client = useClient();
  const { data, error, refetch } = useQuery(explainQuery(client, project, kind, name));
  if (data !== undefined) {
    return <ExplanationView explanation={data}>{children}</ExplanationView>;
  }
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
      {children}
    </Panel>
  );
}
