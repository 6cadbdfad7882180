import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { PullProgress, RegistryAuth } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import type { Logger } from '../host/log.ts';
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
  const { signal, stallMs = STALL_MS } = request;
  const stall = new AbortController();
  const giveUp = (): void => stall.abort(new Error(`no progress for ${stallMs / 1000} s`));
  // The Engine answers no sooner than the registry, so the wait for its first word counts.
  let timer = setTimeout(giveUp, stallMs);
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(giveUp, stallMs);
  };
  try {
    await follow(docker, reference, request, AbortSignal.any([signal, stall.signal]), alive);
  } catch (error) {
    stall.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function follow(
  docker: Docker,
  reference: string,
  { auth, onProgress }: PullRequest,
  abortSignal: AbortSignal,
  alive: () => void,
): Promise<void> {
  const authconfig = auth && { ...auth, serveraddress: registryOf(reference) };
  const options = { ...(authconfig ? { authconfig } : {}), abortSignal };
  const stream = (await docker.pull(reference, options)) as Readable;
  const tracker = new PullTracker();
  // At most so often, but what is last said before a pause is not held back.
  let due: NodeJS.Timeout | null = null;
  const report = (): void => {
    due = null;
    onProgress(tracker.progress);
  };
  const onAbort = (): void => void stream.destroy(new Error('aborted'));
  abortSignal.addEventListener('abort', onAbort);
  try {
    for await (const line of linesOf(stream)) {
      alive();
      tracker.add(JSON.parse(line));
      due ??= setTimeout(report, REPORT_MS);
    }
  } finally {
    if (due) clearTimeout(due);
    abortSignal.removeEventListener('abort', onAbort);
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
