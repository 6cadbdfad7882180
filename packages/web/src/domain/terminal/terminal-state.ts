import { ConnectionError, type ExecResult, JobSocketError } from '@dstack/client';

export type TerminalState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'open' }
  | { readonly kind: 'ended'; readonly text: string }
  | { readonly kind: 'failed'; readonly what: string; readonly next: string };

export function endedState({ status, signal }: ExecResult): TerminalState {
  const text =
    signal === null
      ? `The shell has exited with status ${status}.`
      : `The shell was ended by SIG${signal}.`;
  return { kind: 'ended', text };
}

/** `wasOpen`: the shell had been started. */
export function failedState(error: unknown, wasOpen: boolean): TerminalState {
  const failed = (what: string, next: string): TerminalState => ({ kind: 'failed', what, next });
  if (error instanceof ConnectionError) {
    // Browsers do not report whether the server was lost or has refused.
    return wasOpen
      ? failed('The connection was lost, and the shell has ended.', 'Open a new one.')
      : failed(
          'The server did not open the terminal.',
          'It may be restarting. Only the user who submitted the run, and managers of the project, may open one.',
        );
  }
  if (!(error instanceof JobSocketError)) return failed(errorMessage(error), 'Reload the page.');
  switch (error.code) {
    case 'not_running':
      return failed(error.message, 'The terminal can be opened once the job is running.');
    case 'revoked':
      return failed(error.message, 'Ask a manager of the project.');
    case 'idle':
      return failed('The terminal was not used for long, and was closed.', 'Open a new one.');
    default:
      return failed(error.message, wasOpen ? 'Open a new one.' : 'Try again in a moment.');
  }
}

const errorMessage = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
