/** The latest requests that nginx has answered itself. */
import type { AccessPages } from '@dstack/contract/agent';

type Page = AccessPages[number];

/** One process of nginx. */
interface Process {
  readonly pid: string;
  /** The number of the next request. */
  readonly next: number;
  readonly lines: readonly string[];
}

/**
 * `text`: as `plain.lua` answers. `epoch` names the memory of nginx. `after`: the numbers that were read before, by
 * process.
 */
export function pagesOf(
  text: string,
  epoch: string,
  after: Readonly<Record<string, number>>,
): Page[] {
  return processesIn(text).map(({ pid, next, lines }) => {
    const process = `nginx-${epoch}-${pid}`.slice(0, 64);
    const kept = next - lines.length;
    const seen = after[process] ?? null;
    // A number from before a restart is too high.
    const wanted = seen === null ? kept : seen > next ? 0 : seen;
    const first = Math.max(wanted, kept);
    const records = lines.slice(first - kept).map(recordOf);
    return { process, next, skipped: first - wanted, records };
  });
}

function processesIn(text: string): Process[] {
  const found: { pid: string; next: number; lines: string[] }[] = [];
  for (const line of text.split('\n')) {
    const [, pid, next] = /^p\t(\d+)\t(\d+)$/.exec(line) ?? [];
    if (pid !== undefined) found.push({ pid, next: Number(next), lines: [] });
    else if (line !== '') found.at(-1)?.lines.push(line);
  }
  return found;
}

function recordOf(line: string): Page['records'][number] {
  const [time, method = '', path = '', status, ms, user = '', address = '', id = '', job = ''] =
    line.split('\t');
  return {
    ...{ time: Number(time), method, path: path || '/', status: Number(status) },
    ms: Math.round(Number(ms) * 10) / 10,
    ...{ user: user === '' ? null : user, address, request_id: id },
    ...(job !== '' && { job_id: job }),
  };
}
