import type { ExecSession } from '@dstack/client';
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from '../../data/session/session-context.tsx';
import { openJobTerminal, type TerminalTarget } from '../../data/terminal/open-terminal.ts';
import type { TerminalScreenHandle } from '../../ui/terminal/terminal-screen.tsx';
import { OutputGate } from './output-gate.ts';
import { endedState, failedState, type TerminalState } from './terminal-state.ts';

export interface JobTerminal {
  readonly state: TerminalState;
  readonly onInput: (text: string) => void;
  readonly onResize: (size: { readonly cols: number; readonly rows: number }) => void;
  /** Starts a new shell after the end of the last. */
  readonly reopen: () => void;
}

/** A shell in a job, drawn on a screen that is there when this is called. */
export function useTerminal(
  screen: RefObject<TerminalScreenHandle | null>,
  target: TerminalTarget,
): JobTerminal {
  const client = useClient();
  const { project, run, replica, job } = target;
  const [state, setState] = useState<TerminalState>({ kind: 'opening' });
  const [attempt, setAttempt] = useState(0);
  const session = useRef<ExecSession | null>(null);

  // The shell lives as long as its connection.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each attempt is a shell of its own
  useEffect(() => {
    const shown = screen.current;
    if (shown === null) return;
    setState({ kind: 'opening' });
    let isShown = true;
    let wasOpen = false;
    const report = (next: TerminalState) => {
      if (isShown) setState(next);
    };
    const end = (next: TerminalState) => {
      // The message about the end makes the screen smaller, which the agent does not have to know.
      if (session.current === opened) session.current = null;
      report(next);
    };
    const gate = new OutputGate(shown.write);
    const opened = openJobTerminal(client, { project, run, replica, job }, shown.size(), {
      onStarted: () => {
        wasOpen = true;
        report({ kind: 'open' });
        shown.focus();
      },
      onOutput: (bytes) => gate.add(bytes),
    });
    session.current = opened;
    opened.result.then(
      (result) => end(endedState(result)),
      (error: unknown) => end(failedState(error, wasOpen)),
    );
    return () => {
      isShown = false;
      session.current = null;
      opened.close();
    };
  }, [client, screen, project, run, replica, job, attempt]);

  return {
    state,
    onInput: useCallback((text) => session.current?.write(text), []),
    onResize: useCallback((size) => session.current?.resize(size), []),
    reopen: () => {
      screen.current?.reset();
      setAttempt((before) => before + 1);
    },
  };
}
