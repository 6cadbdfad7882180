import type { Client, LogPiece, LogTime } from '@dstack/client';
import { StampedLines } from './stamped-lines.ts';

/** One job submission, whose output is one stream. */
export interface LogTarget {
  readonly project: string;
  readonly run: string;
  readonly submission: string;
}

/** Output that is read at once when older lines are asked for, in bytes. */
const OLDER_BYTES = 512 * 1024;
const NEWLINE = 10;

/** Output with its times. */
export interface TimedBytes {
  readonly bytes: Uint8Array;
  readonly times: readonly LogTime[];
}

/** Where reading begins: at a byte, with the last lines, or after a time. */
export type LogStreamStart =
  | { readonly offset: number }
  | { readonly lines: number }
  | { readonly start_time: string };

/** Output from a place on; ends when the job has ended and all of it was sent. */
export function followLog(
  client: Client,
  target: LogTarget,
  from: LogStreamStart,
  signal: AbortSignal,
): AsyncGenerator<LogPiece, void> {
  const query = { run_name: target.run, job_submission_id: target.submission, timestamps: true };
  return client.project(target.project).logs.stream({ ...query, ...from }, signal);
}

/**
 * Output that lies directly before `end`, beginning with a whole line (or, in endless lines, anywhere).
 */
export async function olderLog(
  client: Client,
  target: LogTarget,
  end: number,
): Promise<TimedBytes> {
  const start = Math.max(0, end - OLDER_BYTES);
  const { bytes, times } = await readRange(client, target, start, end);
  if (start === 0) return { bytes, times };
  const newline = bytes.indexOf(NEWLINE);
  const isWhole = newline < 0 || newline === bytes.length - 1;
  return { bytes: isWhole ? bytes : bytes.subarray(newline + 1), times };
}

export interface WholeLogOptions {
  /** The number of bytes that the job has printed until now. */
  readonly end: number;
  /** Each line begins with its time, in UTC. */
  readonly timestamps: boolean;
  readonly onProgress: (bytes: number) => void;
}

/** All output that there is now. */
export async function wholeLog(
  client: Client,
  target: LogTarget,
  { end, timestamps, onProgress }: WholeLogOptions,
): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const stamped = timestamps ? new StampedLines() : null;
  for await (const piece of pieces(client, target, 0, end)) {
    parts.push(stamped?.add(piece.bytes, piece.times) ?? piece.bytes.slice());
    onProgress(piece.end);
  }
  if (stamped) parts.push(stamped.rest());
  return new Blob(parts, { type: 'text/plain' });
}

async function readRange(
  client: Client,
  target: LogTarget,
  start: number,
  end: number,
): Promise<TimedBytes> {
  const range = new Uint8Array(end - start);
  const allTimes: LogTime[] = [];
  for await (const { bytes, end: pieceEnd, times } of pieces(client, target, start, end)) {
    const at = pieceEnd - bytes.length - start;
    if (at >= 0) range.set(bytes.subarray(0, range.length - at), at);
    allTimes.push(...times);
  }
  return { bytes: range, times: allTimes };
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
