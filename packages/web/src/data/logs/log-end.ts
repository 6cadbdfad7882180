import type { Client } from '@dstack/client';
import { queryOptions } from '@tanstack/react-query';
import { GLANCE_MS, glanceInTurn } from '../glances.ts';
import type { LogTarget } from './log-stream.ts';
import { storedLog } from './stored-log.ts';

/** A line may be endless: only its end is kept. */
const MOST_BYTES = 8192;
/** The last ones may be empty. */
const LINES = 5;

/** The last bytes that a job has printed. `isOver`: nothing more will follow. */
export function logEnd(client: Client, target: LogTarget, isOver: boolean) {
  return queryOptions<Uint8Array>({
    queryKey: ['log-end', target.submission, isOver],
    queryFn: ({ signal }) => glanceInTurn(() => readEnd(client, target, signal), signal),
    // The stream of changes does not report output.
    meta: { refreshed: isOver ? 'by itself' : 'regularly' },
    placeholderData: (before) => before,
    gcTime: GLANCE_MS,
  });
}

async function readEnd(
  client: Client,
  target: LogTarget,
  signal: AbortSignal,
): Promise<Uint8Array> {
  let end: Uint8Array = new Uint8Array(0);
  for await (const { bytes } of storedLog(client, target, { lines: LINES }, signal)) {
    const both = new Uint8Array(end.length + bytes.length);
    both.set(end);
    both.set(bytes, end.length);
    end = both.slice(-MOST_BYTES);
  }
  return end;
}
