import { plainText } from '@dstack/contract/plain-text';

/**
 * What is said of an error that nobody caught, which ends the process. Node itself would print the
 * line of the bundle that threw, which is hundreds of pages long.
 */
export function crashReport(error: unknown): string {
  const isError = error instanceof Error;
  const trace = isError ? (error.stack ?? '').split('\n').slice(1) : [];
  const lines = [
    `error: ${isError ? error.message : String(error)}`,
    '  why:  this was not expected',
    `  next: report it${trace.length > 0 ? ', with these lines:' : ''}`,
    ...trace,
    '',
  ];
  return plainText(lines.join('\n'));
}

/** Also for promises that nobody waits for: Node turns their failures into the same event. */
export function endOnCrash(process: NodeJS.Process): void {
  process.on('uncaughtException', (error) => {
    process.stderr.write(crashReport(error));
    process.exit(1);
  });
}
