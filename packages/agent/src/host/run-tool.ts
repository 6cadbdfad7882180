import { execFile } from 'node:child_process';

/** How a program ended. */
export type ToolEnd = ToolOutput | { readonly kind: 'missing' } | { readonly kind: 'timeout' };

/** The output of a program; `code` null = a signal ended it. */
export interface ToolOutput {
  readonly kind: 'ended';
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAX_OUTPUT = 8 * 1024 * 1024;

/** Output of a program found in PATH; null when it is missing, fails, or takes too long. */
export async function runTool(
  file: string,
  args: readonly string[],
  timeoutMs = 20_000,
): Promise<string | null> {
  const output = await runToolFully(file, args, timeoutMs);
  return output.kind === 'ended' && output.code === 0 ? output.stdout : null;
}

/** The same, for callers that need to know how it failed. */
export function runToolFully(
  file: string,
  args: readonly string[],
  timeoutMs = 20_000,
): Promise<ToolEnd> {
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: MAX_OUTPUT, killSignal: 'SIGKILL' } as const;
    execFile(file, [...args], options, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT' || error?.code === 'EACCES') resolve({ kind: 'missing' });
      else if (error?.killed) resolve({ kind: 'timeout' });
      else {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        resolve({ kind: 'ended', code, stdout, stderr });
      }
    });
  });
}
