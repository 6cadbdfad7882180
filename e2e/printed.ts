/** Waits for output by the API: each command would take a tenth of a second of a processor. */
import type { Installation } from '@dstack/testkit';
import { showRun } from './installation.ts';
import { waitFor } from './until.ts';

interface LogPage {
  readonly logs: readonly { readonly message: string }[];
  readonly next_token: string | null;
}

/** The output of a run's latest job so far, in pages, as the official client reads it. */
export async function printedBy(home: Installation, name: string): Promise<string> {
  const { latest_job_submission: job } = await showRun(home, name);
  if (job === null) return '';
  const parts: Buffer[] = [];
  for (let next_token: string | null = null; ; ) {
    const page: LogPage = await home.api('/api/project/main/logs/poll', {
      ...{ run_name: name, job_submission_id: job.id, limit: 1000, next_token },
    });
    for (const { message } of page.logs) parts.push(Buffer.from(message, 'base64'));
    if (page.next_token === null || page.logs.length === 0) break;
    next_token = page.next_token;
  }
  return Buffer.concat(parts).toString();
}

/** Polls until the output of the run satisfies the condition, and returns it. */
export async function untilPrinted(
  home: Installation,
  name: string,
  is: (text: string) => boolean,
): Promise<string> {
  return await waitFor(
    () => printedBy(home, name),
    is,
    async (text) => `…${text.slice(-500)}; ${await home.ok('explain', name, '-v')}`,
  );
}
