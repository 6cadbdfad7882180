import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { PullProgress, RegistryAuth } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import type { Logger } from '../log.ts';
import { creationFailure, statusOf, wordsOf } from './engine-error.ts';
import { isMoving, registryOf, withTag } from './image-name.ts';
import { PullTracker } from './pull-tracker.ts';

/** A pull that has said nothing for this long is given up; there is no limit in all. */
const STALL_MS = 300_000;
const REPORT_MS = 200;

export interface PullRequest {
  readonly image: string;
  readonly auth: RegistryAuth | null;
  readonly onProgress: (progress: PullProgress) => void;
  readonly signal: AbortSignal;
  readonly stallMs?: number;
}

/** `new`: it was not there before; `renewed`: its tag was, and may have moved. */
export type Ensured = 'there' | 'renewed' | 'new';

/**
 * Makes sure that an image is on the host: at once when it is there, unless its tag is `latest`.
 * Throws `JobFailure` `creating_container_error`.
 */
export async function ensureImage(
  docker: Docker,
  request: PullRequest,
  log: Logger,
): Promise<Ensured> {
  const reference = withTag(request.image);
  const present = await hasImage(docker, reference);
  if (present && !isMoving(reference)) return 'there';
  try {
    await pull(docker, reference, request);
    return present ? 'renewed' : 'new';
  } catch (error) {
    request.signal.throwIfAborted();
    if (!present) throw creationFailure('pullImage', error, reference);
    log.info('using the local copy of an image', { image: reference, why: wordsOf(error) });
    return 'there';
  }
}

export async function hasImage(docker: Docker, reference: string): Promise<boolean> {
  try {
    await docker.getImage(reference).inspect();
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw creationFailure('pullImage', error, reference);
  }
}

async function pull(docker: Docker, reference: string, request: PullRequest): Promise<void> {
  const { auth, onProgress, signal, stallMs = STALL_MS } = request;
  const authconfig = auth && { ...auth, serveraddress: registryOf(reference) };
  const options = { ...(authconfig ? { authconfig } : {}), abortSignal: signal };
  const stream = (await docker.pull(reference, options)) as Readable;
  const tracker = new PullTracker();
  // At most so often, but what is last said before a pause is not held back.
  let due: NodeJS.Timeout | null = null;
  const report = (): void => {
    due = null;
    onProgress(tracker.progress);
  };
  const stalled = new Error(`no progress for ${stallMs / 1000} s`);
  let timer = setTimeout(() => stream.destroy(stalled), stallMs);
  const onAbort = (): void => void stream.destroy(new Error('aborted'));
  signal.addEventListener('abort', onAbort);
  try {
    for await (const line of linesOf(stream)) {
      clearTimeout(timer);
      timer = setTimeout(() => stream.destroy(stalled), stallMs);
      tracker.add(JSON.parse(line));
      due ??= setTimeout(report, REPORT_MS);
    }
  } finally {
    clearTimeout(timer);
    if (due) clearTimeout(due);
    signal.removeEventListener('abort', onAbort);
  }
  if (stream.errored) throw stream.errored;
  if (!tracker.done) throw new Error('the stream ended before the image was complete');
  onProgress(tracker.progress);
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  for await (const line of createInterface({ input: stream })) {
    if (line.trim() !== '') yield line;
  }
}
