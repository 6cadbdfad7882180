import type { JobReference } from '@dstack/client';
import type { Cli } from '../context.ts';
import type { JobSockets } from './job-sockets.ts';

export interface ScriptJob extends JobReference {
  readonly run: string;
}

export interface ScriptResult {
  readonly status: number;
  readonly errors: string;
}

/** Lets scripts write `$(at "$1")` for a path that may begin with `~`. */
const PRELUDE = `at() { case $1 in '~') printf %s "$HOME";; '~/'*) printf %s "$HOME/\${1#'~/'}";; *) printf %s "$1";; esac; }
`;

const MOST_UNSENT = 4 * 1024 * 1024;
const UNSENT_PAUSE_MS = 5;
const MOST_ERRORS = 64 * 1024;

/** Runs a `sh` script with arguments in a job. `onOutput` returns a promise to hold the job back. */
export async function runScript(
  jobs: JobSockets,
  { run, ...reference }: ScriptJob,
  script: string,
  args: readonly string[],
  streams: {
    readonly input?: AsyncIterable<Uint8Array>;
    readonly onOutput?: (bytes: Uint8Array) => Promise<void> | undefined;
  },
  cli: Cli,
): Promise<ScriptResult> {
  let errors = '';
  const argv = ['sh', '-c', PRELUDE + script, 'sh', ...args];
  const session = jobs.exec(
    run,
    { ...reference, argv },
    {
      onOutput: (bytes, isError) => {
        if (isError) {
          if (errors.length < MOST_ERRORS) errors += Buffer.from(bytes).toString();
          return;
        }
        const written = streams.onOutput?.(bytes);
        if (written === undefined) return;
        session.pause();
        void written.then(() => session.resume());
      },
    },
  );
  session.result.catch(() => {});
  const stop = (): void => session.close();
  cli.signal.addEventListener('abort', stop, { once: true });
  try {
    const sending = (async () => {
      for await (const chunk of streams.input ?? []) {
        session.write(chunk);
        while (session.bufferedAmount > MOST_UNSENT) await cli.wait(UNSENT_PAUSE_MS, cli.signal);
      }
      session.end();
    })();
    // A script that ends early closes the connection; its own message counts.
    sending.catch(() => session.close());
    const { status } = await session.result;
    if (status === 0) await sending;
    return { status, errors: errors.trim() };
  } finally {
    cli.signal.removeEventListener('abort', stop);
  }
}
