import type { Run } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { effectiveQuery } from '../../data/runs/effective-query.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { toYaml } from '../../domain/format/yaml.ts';
import { TextDiff } from '../../ui/diff/text-diff.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import styles from './configuration.module.css';

/** The changes that the profile, the project and the server make to the submitted configuration. */
export function EffectivePanel({ run }: { readonly run: Run }) {
  const client = useClient();
  const { data, error, refetch } = useQuery(effectiveQuery(client, run));
  return (
    <Panel title="What the server makes of it">
      <p className={styles.hint}>
        Submitted now, the configuration would change by these lines before it runs.
      </p>
      {data !== undefined ? (
        <TextDiff
          label="Changes by the server"
          before={toYaml(run.run_spec.configuration)}
          after={toYaml((data.effective_run_spec ?? data.run_spec).configuration)}
        />
      ) : error === null ? (
        <Skeleton lines={4} />
      ) : (
        <ErrorPanel
          title="The server cannot plan this run now"
          error={error}
          onRetry={() => void refetch()}
        />
      )}
    </Panel>
  );
}
