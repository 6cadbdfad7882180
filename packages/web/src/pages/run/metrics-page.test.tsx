import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

it('names GPUs that are idle, and exports what is shown', async () => {
  const now = Date.now();
  const timestamps = Array.from({ length: 80 }, (_, index) =>
    new Date(now - index * 10_000).toISOString(),
  );
  const metric = (name: string, value: number) => ({
    name,
    timestamps,
    values: timestamps.map(() => value),
  });
  const metrics = [metric('cpu_usage_percent', 50), metric('gpu_util_percent_gpu0', 0)];
  const { user } = await renderApp('/projects/main/runs/train/metrics', {
    project: () => ({
      runs: { get: async () => aRun('train') },
      metrics: { job: async () => ({ metrics }) },
    }),
  });
  await screen.findByText(/GPU 0 was not used in the last 13 m/);
  const saved: Blob[] = [];
  // The simulated browser has neither files nor downloads.
  const files = { createObjectURL: (blob: Blob) => `blob:${saved.push(blob)}` };
  // The address is given back a minute later, when the test is over.
  URL.revokeObjectURL ??= () => {};
  vi.stubGlobal('URL', Object.assign(class extends URL {}, files));
  const click = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {});
  await user.click(screen.getByRole('button', { name: 'CSV' }));
  expect(await saved[0]?.text()).toMatch(/^time,CPU \(%\),Memory \(bytes\),GPU use GPU 0 \(%\)/);
  click.mockRestore();
  vi.unstubAllGlobals();
});
