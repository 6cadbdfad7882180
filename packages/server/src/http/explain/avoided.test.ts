import type { Diagnosis } from '@dstack/core';
import { expect, it } from 'vitest';
import { withAvoided } from './avoided.ts';

const part = (name: string, state: string) => ({ kind: 'job', name, state, text: 'runs on host' });

it('a running replica that gets no requests is shown with the reason and the time', async () => {
  const parts = [
    part('web-0-0', 'running'),
    part('web-0-1', 'running'),
    part('web-0-2', 'stopping'),
  ];
  const jobs = ['web-0-0', 'web-0-0', 'web-0-1', 'web-0-2'].map((name, id) => ({
    ...{ name, id: String(id) },
  }));
  const avoided = {
    among: async (ids: readonly string[]) =>
      new Map(
        ids
          .filter((id) => id !== '2')
          .map((id) => [id, { text: `errors of ${id}`, until: 1_767_225_600_000 }]),
      ),
  };
  const shown = await withAvoided({ parts } as unknown as Diagnosis, jobs, avoided);
  expect(shown.parts.map(({ text }) => text)).toEqual([
    'runs on host; gets no requests until 2026-01-01 00:00:00 UTC: errors of 1',
    'runs on host',
    'runs on host',
  ]);
  const unknown = await withAvoided({ parts } as unknown as Diagnosis, jobs, undefined);
  expect(unknown.parts).toEqual(parts);
});
