import type { PollLogsQuery } from '@dstack/client';
import type { JobSubmissionLogs } from '@dstack/contract/wire';
import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const LINES = 40_000;
const output = new TextEncoder().encode(
  Array.from({ length: LINES }, (_, line) =>
    line % 8000 === 0 ? `needle ${line}\n` : `a line of output, number ${line}\n`,
  ).join(''),
);

/** Where the last lines begin. */
function startOfLast(lines: number): number {
  let at = output.length - 1;
  for (let left = lines; left > 0 && at > 0; left -= 1) at = output.lastIndexOf(10, at - 1);
  return at + 1;
}

interface Asked {
  readonly lines?: number;
  readonly offset?: number;
}

type Poll = (query: PollLogsQuery) => Promise<JobSubmissionLogs>;

function world(readOlder: (from: number) => Uint8Array, poll?: Poll) {
  return renderApp('/projects/main/runs/train/logs', {
    project: () => ({
      runs: { get: async () => aRun('train', { status: 'done' }) },
      logs: {
        ...(poll ? { poll } : {}),
        stream: async function* ({ lines, offset }: Asked) {
          const from = offset ?? startOfLast(lines ?? 0);
          yield {
            bytes: offset === undefined ? output.subarray(from) : readOlder(from),
            end: output.length,
            times: [],
          };
        },
      },
    }),
  });
}

it('finds what lies before the lines that were loaded at first', async () => {
  const { user } = await world((from) => output.subarray(from));
  await screen.findByText(/^the last 5,000 lines of 1.2 MB$/);
  await user.keyboard('/');
  await user.keyboard('needle');
  await screen.findByText('5 hits');
  await screen.findByText(/^40,000 lines, 1.2 MB$/);
});

it('names what it has searched when the rest cannot be loaded', async () => {
  const { user } = await world(() => {
    throw new Error('the log store does not answer');
  });
  await screen.findByText(/^the last 5,000 lines of/);
  await user.keyboard('/');
  await user.keyboard('needle');
  await screen.findByText('no hits in the last 5,000 lines');
});

it('has the server search what cannot be loaded, page by page, in either case', async () => {
  const asked: PollLogsQuery[] = [];
  const line = (text: string, second: number) => ({
    timestamp: `2026-01-01T00:00:0${second}.000000Z`,
    log_source: 'stdout' as const,
    message: btoa(`${text}\n`),
  });
  const { user } = await world(
    () => {
      throw new Error('more than this page can hold');
    },
    async (query) => {
      asked.push(query);
      const isFirst = query.next_token == null;
      return {
        logs: [isFirst ? line('needle 8000', 2) : line('NEEDLE 0', 1)],
        external_url: null,
        next_token: isFirst ? 'more' : null,
      };
    },
  );
  await screen.findByText(/^the last 5,000 lines of/);
  await user.keyboard('/');
  await user.keyboard('needle');
  await user.click(await screen.findByRole('button', { name: 'Search it on the server' }));
  const found = await screen.findByRole('region', { name: 'Found by the server' });
  await within(found).findByText(/^2 lines before the loaded part/);
  expect(
    within(found)
      .getAllByRole('listitem')
      .map(({ textContent }) => textContent),
  ).toEqual([expect.stringContaining('needle 8000'), expect.stringContaining('NEEDLE 0')]);
  expect(asked).toHaveLength(2);
  expect(asked[0]).toMatchObject({ grep: 'needle', ignore_case: true, descending: true });
  await user.type(screen.getByLabelText('Search the log'), 's');
  expect(screen.queryByRole('region', { name: 'Found by the server' })).toBeNull();
});
