import type { JobSubmissionLogs } from '@dstack/contract/wire';
import { reopening } from '../reopening.ts';
import type { Transport } from '../transport.ts';

export interface PollLogsQuery {
  readonly run_name: string;
  readonly job_submission_id: string;
  /** Exclusive. */
  readonly start_time?: string | null;
  readonly end_time?: string | null;
  readonly descending?: boolean;
  readonly next_token?: string | null;
  /** 0..1000. */
  readonly limit?: number;
  readonly diagnose?: boolean;
  /** Only lines that contain this text; servers of dstack 0.22.5 ignore it. */
  readonly grep?: string | null;
  /** Upper and lower case are the same for `grep`. */
  readonly ignore_case?: boolean;
}

export interface LogStreamQuery {
  readonly run_name: string;
  readonly job_submission_id: string;
  /** The first byte; without it `start_time` and `lines` define where to start. */
  readonly offset?: number;
  /** Only output after this time, which has an offset. */
  readonly start_time?: string | null;
  /** Only this many last lines of that. */
  readonly lines?: number | null;
  /** False: ends with what the server has now. */
  readonly follow?: boolean;
  /** True: pieces have the times of their bytes. */
  readonly timestamps?: boolean;
}

/** When the bytes up to `end` were read from the job, after those of the time before it. */
export interface LogTime {
  /** The offset in the job's output, in bytes. */
  readonly end: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** A piece of a job's raw output. */
export interface LogChunk {
  readonly bytes: Uint8Array;
  /** The offset in the job's output just after this piece, in bytes. */
  readonly end: number;
  /** In their order; empty unless they were asked for and the server has them. */
  readonly times: readonly LogTime[];
}

/** Calls on the logs of one project's jobs. */
export function logsOf(transport: Transport, base: string) {
  const poll = (query: PollLogsQuery): Promise<JobSubmissionLogs> =>
    transport.read(`${base}/logs/poll`, {
      start_time: null,
      end_time: null,
      descending: false,
      limit: 1000,
      diagnose: false,
      next_token: null,
      ...query,
    });
  async function* pages(query: PollLogsQuery): AsyncGenerator<JobSubmissionLogs['logs'], void> {
    let token: string | null = null;
    do {
      const page: JobSubmissionLogs = await poll({ ...query, next_token: token });
      if (page.logs.length > 0) yield page.logs;
      token = page.next_token ?? null;
    } while (token !== null);
  }
  return {
    poll,
    /** Every log event so far, page after page. */
    pages,
    /**
     * A job's raw output as it is produced, until the job has ended and all of it was sent. After a
     * lost connection the stream continues at the byte where it stopped.
     *
     * @throws NotFoundError or MethodNotAllowedError (see `isUnsupported`) if the server has no
     * such
     *   stream.
     */
    async *stream(query: LogStreamQuery, signal: AbortSignal): AsyncGenerator<LogChunk, void> {
      const { start_time, lines, follow = true, timestamps = false, offset, ...job } = query;
      const asked = timestamps ? { ...job, timestamps: 'true' } : job;
      const start = { start_time: start_time ?? undefined, lines: lines ?? undefined };
      let times: readonly LogTime[] = [];
      let end = offset ?? (start_time == null && lines == null ? 0 : null);
      const open = () => {
        const from = end === null ? start : { offset: end };
        const ends = follow ? {} : { follow: 'false' };
        return transport.events(`${base}/logs/stream`, { ...asked, ...from, ...ends }, signal);
      };
      for await (const event of reopening(open, transport.wait, signal)) {
        if (event.event === 'end') return;
        if (event.event === 'times' && timestamps) times = logTimes(event.data);
        if (event.event !== 'message' && event.event !== 'log') continue;
        const bytes = fromBase64(event.data);
        end = event.id === '' ? (end ?? 0) + bytes.byteLength : Number(event.id);
        yield { bytes, end, times };
        times = [];
      }
    },
    /**
     * Like {@link stream}, for servers that can only be polled. `ended` is called between two
     * polls; once it has returned true, one more poll fetches the rest.
     */
    async *follow(
      query: PollLogsQuery,
      ended: () => Promise<boolean>,
      signal: AbortSignal,
      pollMs = 1000,
    ): AsyncGenerator<Uint8Array, void> {
      let start = query.start_time ?? null;
      for (;;) {
        const over = await ended();
        for await (const logs of pages({ ...query, start_time: start })) {
          for (const log of logs) {
            start = log.timestamp;
            yield fromBase64(log.message);
          }
        }
        if (over) return;
        await transport.wait(pollMs, signal);
      }
    },
  };
}

/** Throws if the message is not one of ours. */
function logTimes(data: string): LogTime[] {
  const pairs = JSON.parse(data) as readonly (readonly [number, number])[];
  return pairs.map(([end, time]) => ({ end: Number(end), time: Number(time) }));
}

/** Decodes the base64 of the API (standard alphabet). */
export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  // `Uint8Array.from` with a function takes a hundred times as long.
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
