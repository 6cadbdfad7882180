import { toYaml } from '../../domain/format/yaml.ts';
import { configurationText } from '../../domain/runs/configuration-text.ts';
import { CodeBlock } from '../../ui/code/code-block.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import styles from './configuration.module.css';
import { EffectivePanel } from './effective-panel.tsx';
import { useRun } from './run-context.tsx';

/** The configuration as it was submitted, and as the server completed it. */
export function RunConfigurationPage() {
  const run = useRun();
  const { configuration, profile } = run.run_spec;
  const [job] = run.jobs;
  return (
    <div className={styles.columns}>
      <div className={styles.column}>
        <Panel title="Configuration">
          <CodeBlock label="Configuration of the run" text={configurationText(configuration)} />
        </Panel>
        <EffectivePanel run={run} />
      </div>
      {job === undefined ? null : (
        <Panel title={run.jobs.length > 1 ? `First job, as it runs` : 'The job, as it runs'}>
          <p className={styles.hint}>
            With the defaults of the server, the profile
            {profile?.name ? ` ${profile.name}` : ''} and the project applied.
          </p>
          <CodeBlock label="Specification of the job" text={toYaml(job.job_spec)} />
        </Panel>
      )}
    </div>
  );
}
