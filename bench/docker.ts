import { spawnSync } from 'node:child_process';
import { dockerMissing, startDocker } from '@dstack/testkit';

export interface BenchDocker {
  readonly host: string;
  readonly image: string;
  /** Milliseconds of `docker run --rm <image> true`, n times. */
  bareRuns(n: number): number[];
  stop(): Promise<void>;
}

const IMAGE = 'bench:busybox';

/** A private daemon with a busybox image; null if none can be started. */
export async function dockerForBench(): Promise<BenchDocker | null> {
  if (dockerMissing() !== null) return null;
  const daemon = await startDocker();
  await daemon.busybox(IMAGE);
  return {
    host: daemon.host,
    image: IMAGE,
    bareRuns: (n) =>
      Array.from({ length: n }, () => {
        const start = performance.now();
        spawnSync('docker', ['--host', daemon.host, 'run', '--rm', IMAGE, 'true']);
        return performance.now() - start;
      }),
    stop: () => daemon.close(),
  };
}
