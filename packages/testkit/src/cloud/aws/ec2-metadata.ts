/** The metadata service of a spot instance by AWS's own mock, which announces its end. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../free-port.ts';

const run = promisify(execFile);
const BUILDER = resolve(import.meta.dirname, '../../../ec2-metadata/build-ec2-metadata.sh');
const BUILD_MS = 10 * 60_000;
const LOOK_MS = 50;

export interface Ec2Metadata {
  /** In place of `http://169.254.169.254`. */
  readonly url: string;
  close(): Promise<void>;
}

/** The missing requirement of `startEc2Metadata`, null if there is none. */
export function ec2MetadataMissing(): string | null {
  return spawnSync('go', ['version']).status === 0 ? null : 'go';
}

/**
 * `noticeSeconds`: after this time `spot/instance-action` answers; before it, 404. As on machines that are set up well,
 * every request needs a session token (version 2).
 */
export async function startEc2Metadata(options: {
  readonly noticeSeconds: number;
}): Promise<Ec2Metadata> {
  const program = (await run(BUILDER, [], { timeout: BUILD_MS })).stdout.trim();
  const port = String(await freePort());
  const args = ['spot', '--action', 'terminate', '--imdsv2', '--hostname', '127.0.0.1'];
  const times = ['--mock-delay-sec', String(options.noticeSeconds), '--port', port];
  const child = spawn(program, [...args, ...times], { stdio: 'ignore' });
  const ended = once(child, 'close');
  const url = `http://127.0.0.1:${port}`;
  while (!(await answers(url))) {
    if (child.exitCode !== null) throw new Error(`the metadata service ended: ${child.exitCode}`);
    await delay(LOOK_MS);
  }
  return {
    url,
    close: async () => {
      child.kill();
      await ended;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    await fetch(url);
    return true;
  } catch {
    // It does not listen yet.
    return false;
  }
}
