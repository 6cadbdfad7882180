import { plainText } from '@dstack/contract/plain-text';

/**
 * The report of an uncaught error, which ends the process. Node itself would print the line of the
 * bundle that threw, which is hundreds of pages long.
 */
export function crashReport(error: unknown): string {
  const isError = error instanceof Error;
  const trace = isError ? (error.stack ?? '').split('\n').slice(1) : [];
  const lines = [
    `error: ${isError ? error.message : String(error)}`,
    '  why:  dstack did not expect this error',
    `  next: report it${trace.length > 0 ? ', with these lines:' : ''}`,
    ...trace,
    '',
  ];
  return plainText(lines.join('\n'));
}

/** Covers promises without a handler too: Node reports their failures by the same event. */
export function endOnCrash(process: NodeJS.Process): void {
  process.on('uncaughtException', (error) => {
    process.stderr.write(crashReport(error));
    process.exit(1);
  });
}
