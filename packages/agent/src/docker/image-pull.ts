import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { PullProgress, RegistryAuth } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import { JobFailure } from '../executor/job-failure.ts';
import type { EventLogger } from '../host/log.ts';
import { creationFailure } from './creation-failure.ts';
import { engineErrorMessage, statusOf } from './engine-error.ts';
import { isMoving, registryOf, withTag } from './image-name.ts';
import { inTime } from './in-time.ts';
import { PullTracker } from './pull-tracker.ts';

/** A pull without progress for this long is given up. There is no total limit. */
const STALL_MS = 300_000;
const REPORT_MS = 200;

export interface PullRequest {
  readonly image: string;
  readonly auth: RegistryAuth | null;
  readonly onProgress: (progress: PullProgress) => void;
  readonly signal: AbortSignal;
  readonly stallMs?: number;
}

/** `new`: the image was absent; `renewed`: its tag was present and may have moved. */
export type Ensured = 'there' | 'renewed' | 'new';

/**
 * Ensures that an image is on the host. Does nothing if it is present, unless its tag is `latest`.
 * Throws `JobFailure` `creating_container_error`.
 */
export async function ensureImage(
  docker: Docker,
  request: PullRequest,
  log: EventLogger,
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
    log.info('using the local copy of an image', {
      image: reference,
      why: engineErrorMessage(error),
    });
    return 'there';
  }
}

export async function hasImage(docker: Docker, reference: string): Promise<boolean> {
  try {
    await inTime('inspectImage', () => docker.getImage(reference).inspect());
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
  // The Engine answers only after the registry, so the wait for the first message counts.
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
  // Limits how often progress is reported. The last report before a pause is not held back.
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
  if (!tracker.done) {
    // The engine reports errors of the registry in the stream, so it has ended itself.
    const message = `pullImage error: ${reference}: the stream ended before the image was complete`;
    throw new JobFailure('creating_container_error', message, { hostFault: 'daemon_unreachable' });
  }
  onProgress(tracker.progress);
}

async function* linesOf(stream: Readable): AsyncGenerator<string> {
  for await (const line of createInterface({ input: stream })) {
    if (line.trim() !== '') yield line;
  }
}
