import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { rememberProject } from '../../data/projects/usual-project.ts';
import { completionsAt } from '../../domain/launch/completion.ts';
import { useLaunchPlan } from '../../domain/launch/use-launch-plan.ts';
import { useSubmitRun } from '../../domain/launch/use-submit-run.ts';
import { Button } from '../../ui/button/button.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { Select } from '../../ui/select/select.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { ConflictPanel } from './conflict-panel.tsx';
import styles from './launch.module.css';
import { LaunchForm } from './launch-form.tsx';
import { PlanPanel } from './plan-panel.tsx';
import { ProblemList } from './problem-list.tsx';
import { TemplatePicker } from './template-picker.tsx';

// The editor is larger than the rest of the page.
const YamlEditor = lazy(() =>
  import('../../ui/editor/yaml-editor.tsx').then((module) => ({ default: module.YamlEditor })),
);

export interface LaunchViewProps {
  readonly project: string | null;
  readonly projects: readonly string[];
  readonly initial: string;
}

export function LaunchView({ project, projects, initial }: LaunchViewProps) {
  const navigate = useNavigate();
  const [text, setText] = useState(initial);
  const [mode, setMode] = useState<'text' | 'form'>('text');
  const launch = useLaunchPlan(project, text);
  const submission = useSubmitRun(project, launch);
  const submit = () => void submission.submit();
  return (
    <PageFrame
      title="Launch a run"
      actions={
        <Button
          variant="primary"
          disabledReason={submission.disabledReason}
          busy={submission.isBusy}
          onClick={submit}
        >
          {submission.label}
        </Button>
      }
    >
      <div className={styles.columns}>
        <section className={styles.source} aria-label="Configuration">
          <Toolbar
            end={
              <Segments
                label="How to edit"
                value={mode}
                options={[
                  ['text', 'YAML'],
                  ['form', 'Form'],
                ]}
                onChange={setMode}
              />
            }
          >
            {projects.length > 1 && project !== null ? (
              <Select
                label="Project"
                prefix="Project"
                value={project}
                options={projects.map((name) => ({ value: name, label: name }))}
                onChange={(next) => {
                  rememberProject(next);
                  void navigate({
                    to: '.',
                    search: (before) => ({ ...before, project: next }),
                    replace: true,
                  });
                }}
              />
            ) : null}
            <TemplatePicker project={project} onChoose={setText} />
          </Toolbar>
          {mode === 'text' ? (
            <div className={styles.editor}>
              <Suspense fallback={<Skeleton lines={10} />}>
                <YamlEditor
                  label="Configuration in YAML"
                  value={text}
                  onChange={setText}
                  onSubmit={submit}
                  marks={launch.problems}
                  complete={(source, offset) => completionsAt(launch.schema, source, offset)}
                />
              </Suspense>
            </div>
          ) : (
            <LaunchForm
              schema={launch.schema}
              text={text}
              problems={launch.problems}
              onChange={setText}
            />
          )}
          {mode === 'text' ? <ProblemList problems={launch.problems} /> : null}
        </section>
        <PlanPanel
          launch={launch}
          error={submission.error ?? launch.error}
          conflict={
            submission.conflict === null ? null : (
              <ConflictPanel conflict={submission.conflict} onTakeTheirs={setText} />
            )
          }
        />
      </div>
    </PageFrame>
  );
}
