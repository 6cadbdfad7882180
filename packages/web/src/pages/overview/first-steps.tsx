import { Link } from '@tanstack/react-router';
import { Circle, CircleCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import styles from './overview.module.css';

interface FirstStepsProps {
  readonly hasFleets: boolean;
  readonly hasRuns: boolean;
  readonly project: string;
  readonly server: string;
}

const FLEET = `# fleet.dstack.yml
type: fleet
name: first
nodes: 0..2`;

const TASK = `# .dstack.yml
type: task
name: hello
commands:
  - echo Hello from $HOSTNAME`;

/** The steps to take in a new project, with the exact commands. A step that is done stays, ticked. */
export function FirstSteps({ hasFleets, hasRuns, project, server }: FirstStepsProps) {
  return (
    <Panel title="First steps">
      <ol className={styles.steps}>
        <Step title="Connect the command line to this server" isDone={hasFleets || hasRuns}>
          <p>
            The token is the one that you signed in with; the server printed the first one when it
            started.
          </p>
          <CommandBlock
            text={`dstack project add --name ${project} --url ${server} --token <your token>`}
          />
        </Step>
        <Step title="Create a fleet" isDone={hasFleets}>
          <p>
            Runs use the machines of a fleet. This one starts with none, and creates up to two when
            runs need them, on whatever the project has: the server's machine, or a cloud.
          </p>
          <CommandBlock text={FLEET} label="Copy the configuration" />
          <CommandBlock text="dstack apply -f fleet.dstack.yml" />
          <p>
            Or{' '}
            <Link to="/projects/$project/fleets/add" params={{ project }} className={styles.link}>
              create a fleet here
            </Link>
            , also of servers of your own. Clouds are added to the project under{' '}
            <Link to="/projects/$project/backends" params={{ project }} className={styles.link}>
              Backends
            </Link>
            .
          </p>
        </Step>
        <Step title="Submit the first run" isDone={hasRuns}>
          <CommandBlock text={TASK} label="Copy the configuration" />
          <CommandBlock text="dstack apply -f .dstack.yml" />
          <p>
            Or{' '}
            <Link to="/runs/launch" className={styles.link}>
              launch a run here
            </Link>
            .
          </p>
        </Step>
      </ol>
    </Panel>
  );
}

interface StepProps {
  readonly title: string;
  readonly isDone: boolean;
  readonly children: ReactNode;
}

function Step({ title, isDone, children }: StepProps) {
  const Icon = isDone ? CircleCheck : Circle;
  return (
    <li className={styles.step} data-done={isDone || undefined}>
      <Icon size={18} aria-hidden="true" className={styles.stepIcon} />
      <div className={styles.stepBody}>
        <h3 className={styles.stepTitle}>
          {title}
          {isDone ? <span className={styles.stepDone}>done</span> : null}
        </h3>
        {isDone ? null : children}
      </div>
    </li>
  );
}
