import type { Client, LogPiece } from '@dstack/client';

/** One job submission, whose output is one stream. */
export interface LogTarget {
  readonly project: string;
  readonly run: string;
  readonly submission: string;
}

/** Output that is read at once when older lines are asked for, in bytes. */
const OLDER_BYTES = 512 * 1024;
const NEWLINE = 10;

/** Output from `offset` on, or the last lines; ends when the job has ended and all of it was sent. */
export function followLog(
  client: Client,
  target: LogTarget,
  from: { readonly offset: number } | { readonly lines: number },
  signal: AbortSignal,
): AsyncGenerator<LogPiece, void> {
  return client
    .project(target.project)
    .logs.stream({ run_name: target.run, job_submission_id: target.submission, ...from }, signal);
}

/**
 * Output that lies directly before `end`, beginning with a whole line (or, in endless lines, anywhere).
 */
export async function olderLog(
  client: Client,
  target: LogTarget,
  end: number,
): Promise<Uint8Array> {
  const start = Math.max(0, end - OLDER_BYTES);
  const bytes = await readRange(client, target, start, end);
  if (start === 0) return bytes;
  const newline = bytes.indexOf(NEWLINE);
  return newline < 0 || newline === bytes.length - 1 ? bytes : bytes.subarray(newline + 1);
}

/** All output that there is now. */
export async function wholeLog(
  client: Client,
  target: LogTarget,
  end: number,
  onProgress: (bytes: number) => void,
): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of pieces(client, target, 0, end)) {
    parts.push(piece.bytes.slice());
    onProgress(piece.end);
  }
  return new Blob(parts, { type: 'text/plain' });
}

async function readRange(
  client: Client,
  target: LogTarget,
  start: number,
  end: number,
): Promise<Uint8Array> {
  const range = new Uint8Array(end - start);
  for await (const { bytes, end: pieceEnd } of pieces(client, target, start, end)) {
    const at = pieceEnd - bytes.length - start;
    if (at >= 0) range.set(bytes.subarray(0, range.length - at), at);
  }
  return range;
}

/** The pieces of a range; the stream is left at its end, as it would go on with live output. */
async function* pieces(
  client: Client,
  target: LogTarget,
  start: number,
  end: number,
): AsyncGenerator<LogPiece, void> {
  if (start >= end) return;
  const leave = new AbortController();
  try {
    for await (const piece of followLog(client, target, { offset: start }, leave.signal)) {
      yield piece;
      if (piece.end >= end) return;
    }
  } finally {
    leave.abort();
  }
}
