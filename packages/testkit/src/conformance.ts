/** Programs of others that judge what the product does, built from their Go modules where they were not built before. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BUILD_MS = 30 * 60_000;

const built = async (builder: string): Promise<string> => {
  const path = join(resolve(import.meta.dirname, '..'), builder);
  return (await run(path, [], { timeout: BUILD_MS })).stdout.trim();
};

/** The folder of `h2spec`, `grpc-server` and `grpc-client` (the interoperability programs of gRPC). */
export const conformancePrograms = (): Promise<string> => built('conformance/build-conformance.sh');

/** The folder of `promtool` and `check-dashboard`. */
export const grafanaPrograms = (): Promise<string> => built('grafana/build-checks.sh');
