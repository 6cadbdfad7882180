import { execFile } from 'node:child_process';

/** The output of a program in PATH; null if it is missing, fails, or takes too long. */
export function runTool(
  file: string,
  args: readonly string[],
  timeoutMs = 20_000,
): Promise<string | null> {
  return new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      maxBuffer: 8 * 1024 * 1024,
      killSignal: 'SIGKILL',
    } as const;
    execFile(file, [...args], options, (error, stdout) => resolve(error ? null : stdout));
  });
}
