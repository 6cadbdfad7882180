import type { Run } from '@dstack/contract/wire';
import { Accessibility, Plus } from 'lucide-react';
import { useRef } from 'react';
import type { TerminalTarget } from '../../data/terminal/open-terminal.ts';
import { useTerminal } from '../../domain/terminal/use-terminal.ts';
import { Button, IconButton } from '../../ui/button/button.tsx';
import { Banner } from '../../ui/feedback/banner.tsx';
import { KeyHint } from '../../ui/keyboard/key-hint.tsx';
import { useSavedChoice } from '../../ui/saved-choice.ts';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { TerminalScreen, type TerminalScreenHandle } from '../../ui/terminal/terminal-screen.tsx';
import styles from './run-terminal.module.css';
import { RunningJobPicker } from './running-job-picker.tsx';

export interface RunTerminalProps {
  readonly run: Run;
  readonly target: TerminalTarget;
}

const asBoolean = (saved: unknown): boolean => saved === true;

/** A shell in a job of the run. */
export function RunTerminal({ run, target }: RunTerminalProps) {
  const screen = useRef<TerminalScreenHandle>(null);
  const leave = useRef<HTMLButtonElement>(null);
  const terminal = useTerminal(screen, target);
  const [screenReader, setScreenReader] = useSavedChoice('dstack-terminal-reader', asBoolean);
  const { state } = terminal;
  const isOver = state.kind === 'ended' || state.kind === 'failed';
  return (
    <div className={styles.panel}>
      <Toolbar
        end={
          <>
            <span className={styles.hint}>
              <KeyHint keys="Ctrl+F6" /> leaves the terminal
            </span>
            <IconButton
              ref={leave}
              label="Text for screen readers"
              pressed={screenReader}
              onClick={() => setScreenReader(!screenReader)}
            >
              <Accessibility size={16} />
            </IconButton>
          </>
        }
      >
        <RunningJobPicker run={run} target={target} />
        <span className={styles.state} role="status" data-state={state.kind}>
          <span className={styles.dot} aria-hidden="true" />
          {STATES[state.kind]}
        </span>
      </Toolbar>
      {isOver ? (
        <Banner
          tone={state.kind === 'failed' ? 'failed' : 'queued'}
          icon={Plus}
          actions={
            <Button size="sm" onClick={terminal.reopen}>
              Open a new shell
            </Button>
          }
        >
          {state.kind === 'failed' ? `${state.what} ${state.next}` : state.text}
        </Banner>
      ) : null}
      <TerminalScreen
        ref={screen}
        label={`Terminal in ${target.run}`}
        onInput={terminal.onInput}
        onResize={terminal.onResize}
        onLeave={() => leave.current?.focus()}
        screenReader={screenReader}
      />
    </div>
  );
}

const STATES = {
  opening: 'Opening',
  open: 'Connected',
  ended: 'Ended',
  failed: 'Not connected',
} as const;
