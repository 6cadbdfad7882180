/** Helm, built from its Go module by `helm/build-helm.sh`. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BUILDER = resolve(import.meta.dirname, '..', 'helm', 'build-helm.sh');
const BUILD_MS = 30 * 60_000;
const MAX_OUTPUT = 16 * 1024 * 1024;

/** Runs a command of Helm; rejects with its message. It needs what clusters need (`kubernetesMissing`). */
export async function helm(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await run(BUILDER, [], { timeout: BUILD_MS });
  const options = { env: { ...process.env, ...env }, maxBuffer: MAX_OUTPUT };
  return (await run(stdout.trim(), args as string[], options)).stdout;
}
