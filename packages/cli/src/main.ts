import { homedir } from 'node:os';
import { runCli } from './cli.ts';
import { endOnCrash } from './crash.ts';
import { interrupts } from './interrupts.ts';

/** The program `dstack`. */
endOnCrash(process);
const { signal, onInterrupt } = interrupts(process);

// A reader that closes the pipe early (`dstack logs x | head`) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  if (error.code !== 'EIO') throw error;
});
// The terminal was closed, so the output cannot be read; cleaning up must still happen.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
});

// Waiting for Ctrl-C alone would not keep Node running.
setInterval(() => {}, 2 ** 30);

const code = await runCli(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  // Accessing stdin opens it; most commands do not need it.
  get input() {
    return process.stdin;
  },
  env: process.env,
  cwd: process.cwd(),
  home: process.env.HOME || homedir(),
  now: Date.now,
  signal,
  onInterrupt,
});
await drain(process.stdout);
process.exit(code);

/** Waits until the pipe has accepted everything; `process.exit` would drop the rest. */
function drain(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
