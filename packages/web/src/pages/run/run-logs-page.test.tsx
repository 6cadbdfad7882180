import type { Run } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { renderRun } from '../../testing/render-run.tsx';
import { aRun } from '../../testing/runs.ts';

/** One that never answers. */
class SilentWorker {
  postMessage() {}
  terminate() {}
}

const encode = (text: string) => new TextEncoder().encode(text);

describe('the output of a job', () => {
  it('is text, whatever it contains', async () => {
    const output = '<img src=x onerror=alert(1)>\n\x1b[31mred\x1b[0m \u202egnp.exe\n';
    await renderRun('/projects/main/runs/train/logs', () => aRun('train'), output);
    const log = await screen.findByRole('region', { name: 'Output of train-0-0' });
    within(log).getByText('<img src=x onerror=alert(1)>');
    expect(log.querySelector('img')).toBeNull();
    expect(within(log).getByText('red').style.color).toBe('var(--ansi-1)');
    within(log).getByText(/⟨U\+202E⟩gnp\.exe/);
  });

  it('is searched while the reader types', async () => {
    const output = 'epoch 1\nloss 2\nEpoch 2\n';
    const { user } = await renderRun('/projects/main/runs/train/logs', () => aRun('train'), output);
    await screen.findByText('loss 2');
    await user.keyboard('/');
    await user.keyboard('epoch{Enter}');
    await screen.findByText('1 of 2');
    await user.keyboard('{Enter}');
    await screen.findByText('2 of 2');
    expect(document.querySelectorAll('mark')).toHaveLength(2);
  });

  it('names what is wrong with a regular expression at the field', async () => {
    const { user } = await renderRun('/projects/main/runs/train/logs', () => aRun('train'), 'x\n');
    await screen.findByText('x');
    await user.click(screen.getByRole('button', { name: 'Regular expression' }));
    const field = screen.getByRole('searchbox', { name: 'Search the log' });
    vi.stubGlobal('Worker', SilentWorker);
    await user.type(field, 'a(b');
    await screen.findByText('Unterminated group');
    expect(field.getAttribute('aria-invalid')).toBe('true');
    await user.type(field, ')');
    await waitFor(() => expect(screen.queryByText('Unterminated group')).toBeNull());
    screen.getByText('searching');
    vi.unstubAllGlobals();
  });

  it('is marked at the line that the address names, and lines have addresses', async () => {
    const output = 'first\nsecond\nthird\n';
    const app = await renderRun('/projects/main/runs/train/logs#at=6', () => aRun('train'), output);
    const marked = (await screen.findByText('second')).closest('[data-index]');
    expect(marked?.hasAttribute('data-marked')).toBe(true);
    const third = screen.getByText('third').closest('[data-index]') as HTMLElement;
    await app.user.click(third.querySelector('a') as HTMLElement);
    await waitFor(() => expect(third.hasAttribute('data-marked')).toBe(true));
    expect(app.path()).toContain('/projects/main/runs/train/logs?job=train-0-0&attempt=1#at=13');
    expect(await navigator.clipboard.readText()).toContain('?job=train-0-0&attempt=1#at=13');
    // Following the end leaves the place of the link.
    await app.user.keyboard('f');
    await waitFor(() => expect(app.path()).not.toContain('#'));
  });

  it('goes to a time, and refuses one at the field with the reason', async () => {
    const { user } = await renderRun('/projects/main/runs/train/logs', () => aRun('train'), 'x\n');
    await screen.findByText('x');
    await user.keyboard('t');
    await user.type(await screen.findByRole('textbox', { name: 'Time' }), 'soon{Enter}');
    await screen.findByText(/Type a time such as 14:03/);
    await user.clear(screen.getByRole('textbox', { name: 'Time' }));
    await user.type(screen.getByRole('textbox', { name: 'Time' }), '14:03{Enter}');
    await screen.findByText('The lines of this log have no times.');
  });

  it('is shown from a level on, with the message of JSON lines first, if readers want that', async () => {
    const output = 'ERROR boom\nINFO fine\n{"level":"error","msg":"<b>out</b>"}\n\n';
    const { user } = await renderRun('/projects/main/runs/train/logs', () => aRun('train'), output);
    await screen.findByText('INFO fine');
    await user.click(screen.getByRole('combobox', { name: 'Level' }));
    await user.click(await screen.findByRole('option', { name: 'Errors' }));
    await waitFor(() => expect(screen.queryByText('INFO fine')).toBeNull());
    screen.getByText('ERROR boom');
    await user.click(screen.getByRole('button', { name: 'Display of lines' }));
    await user.click(
      await screen.findByRole('menuitemcheckbox', { name: 'Messages of JSON lines first' }),
    );
    await screen.findByText(/<b>out<\/b>/);
    expect(screen.queryByText(/"msg"/)).toBeNull();
    localStorage.clear();
  });

  it('of all jobs is merged, and each line names its job and leads to it', async () => {
    const run = aRun('train');
    const [job] = run.jobs as [Run['jobs'][number]];
    const jobs = ['train-0-0', 'train-0-1'].map((job_name, index) => ({
      ...job,
      job_spec: { ...job.job_spec, job_name },
      job_submissions: [{ ...job.job_submissions[0], id: `s${index}`, status: 'done' }],
    }));
    const times = { s0: [20], s1: [10] } as Record<string, number[]>;
    const app = await renderRun(
      '/projects/main/runs/train/logs?job=all',
      () => ({ ...run, jobs }) as Run,
      '',
      {
        logs: {
          stream: async function* ({ job_submission_id: id }: { job_submission_id: string }) {
            const bytes = encode(`line of ${id}\n`);
            const known = (times[id] ?? []).map((time) => ({ end: bytes.length, time }));
            yield { bytes, end: bytes.length, times: known };
          },
        },
      },
    );
    const log = await screen.findByRole('region', { name: 'Output of all jobs' });
    const rows = [...log.querySelectorAll('[data-index]')].map((row) => row.textContent);
    expect(rows).toEqual(['train-0-1 line of s1', 'train-0-0 line of s0']);
    await app.user.click(log.querySelector('a') as HTMLElement);
    await waitFor(() => expect(app.path()).toContain('?job=train-0-1&attempt=1#t='));
    await screen.findByRole('region', { name: 'Output of train-0-1' });
  });

  it('is that of the attempt in the address', async () => {
    const run = aRun('train');
    const [job] = run.jobs;
    const again = { ...job!.job_submissions[0]!, id: 'second', submission_num: 1 };
    const both = { ...job!, job_submissions: [...job!.job_submissions, again] };
    await renderRun(
      '/projects/main/runs/train/logs?attempt=1',
      () => ({ ...run, jobs: [both] }),
      'x\n',
    );
    const picker = await screen.findByRole('combobox', { name: 'Attempt' });
    expect(picker.textContent).toContain('Attempt 1');
  });
});
