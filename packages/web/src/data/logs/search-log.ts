import type { Client } from '@dstack/client';
import type { LogTarget } from './log-stream.ts';

export type { LogTarget };

export interface LogTextQuery {
  readonly text: string;
  readonly matchCase: boolean;
  /** Only output up to this time, milliseconds since the epoch; null: all of it. */
  readonly before: number | null;
}

export interface FoundLine {
  readonly time: number;
  readonly text: string;
}

/** Lines that contain the text, the newest first. Each request of the server looks at a part of bounded size. */
export async function* searchLog(
  client: Client,
  { project, run, submission }: LogTarget,
  { text, matchCase, before }: LogTextQuery,
  signal: AbortSignal,
): AsyncGenerator<readonly FoundLine[], void> {
  const { logs } = client.project(project);
  let token: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof logs.poll>> = await logs.poll({
      ...{ run_name: run, job_submission_id: submission, descending: true, next_token: token },
      ...{ grep: text, ignore_case: !matchCase },
      // The end is exclusive, and times of lines are more precise than this.
      end_time: before === null ? null : new Date(before + 1).toISOString(),
    });
    if (signal.aborted) return;
    yield page.logs.map(({ timestamp, message }) => ({
      time: Date.parse(timestamp),
      text: textOf(message),
    }));
    token = page.next_token ?? null;
  } while (token !== null && !signal.aborted);
}

function textOf(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new TextDecoder().decode(bytes).trimEnd();
}
