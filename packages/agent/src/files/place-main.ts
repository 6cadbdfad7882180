/**
 * Places the files of a job: reads one line with a `PlaceRequest` from its standard input, switches to
 * the account that the request names, and writes a `PlaceResult`. Uploads are open from descriptor 3
 * on: the archives in the order of the request, then the code. The program ends at the end of its
 * input, since the agent that started it has ended and the next agent starts over.
 */

import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { errorMessage } from '@dstack/contract/error-message';
import { JobFailure } from '../executor/job-failure.ts';
import type { HostPlacement } from './host-placement.ts';
import { placeOnHost } from './place-on-host.ts';

export interface PlaceRequest {
  readonly uid: number;
  readonly gid: number;
  readonly username: string | null;
  readonly placement: HostPlacement;
}

export type PlaceResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** A function of Node that its type definitions omit. */
interface InitGroups {
  initgroups?(user: string | number, extraGroup: number): void;
}

const FIRST_UPLOAD = 3;

async function main(): Promise<PlaceResult> {
  const { uid, gid, username, placement } = await requestOf();
  if (username === null) process.setgroups?.([]);
  else (process as InitGroups).initgroups?.(username, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const controller = new AbortController();
  process.once('SIGTERM', () => controller.abort(new Error('stopped')));
  const count = placement.spec.file_archives.length;
  const archives = Array.from({ length: count }, (_, index) => FIRST_UPLOAD + index);
  const last = FIRST_UPLOAD + count;
  const uploads = { archives, code: isOpen(last) ? last : null };
  try {
    await placeOnHost(placement, uploads, controller.signal);
    return { ok: true };
  } catch (error) {
    const reason = error instanceof JobFailure ? error.reason : 'executor_error';
    return { ok: false, reason, message: errorMessage(error) };
  }
}

function requestOf(): Promise<PlaceRequest> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin });
    lines.once('line', (line) => resolve(JSON.parse(line)));
    lines.once('close', () => process.exit(1));
  });
}

function isOpen(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    // No code was uploaded.
    return false;
  }
}

process.stdout.write(JSON.stringify(await main()), () => process.exit(0));
