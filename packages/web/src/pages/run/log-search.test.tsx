import { screen } from '@testing-library/react';
import { it } from 'vitest';
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

function world(readOlder: (from: number) => Uint8Array) {
  return renderApp('/projects/main/runs/train/logs', {
    project: () => ({
      runs: { get: async () => aRun('train', { status: 'done' }) },
      logs: {
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
