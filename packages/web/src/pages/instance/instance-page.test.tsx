import { ResourceNotExistsError } from '@dstack/client';
import type { Instance } from '@dstack/contract/wire';
import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { anInstance } from '../../testing/fleets.ts';
import { renderApp } from '../../testing/render-app.tsx';

const calls: unknown[] = [];

function world(more: Partial<Instance> = {}, address?: string) {
  calls.length = 0;
  const instance = { ...anInstance('lab', 0), ...more };
  const record =
    (name: string) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args]);
      return [instance];
    };
  const { project_name, id } = instance;
  return renderApp(`/projects/${project_name}/instances/${address ?? id}`, {
    server: { listEvents: async () => [] },
    project: () => ({
      fleets: { listJobs: async () => [] },
      instances: {
        get: async () => instance,
        healthChecks: async () => [],
        cordon: record('cordon'),
        drain: record('drain'),
        uncordon: record('uncordon'),
      },
      explain: async (_kind: string, name: string) => {
        if (name === instance.name) {
          return {
            ...{ subject: { id }, state: 'idle', summary: '', since: null, until: null },
            ...{ attempt: null, position: null, expected_start: null, waiting_for: null },
            ...{ ahead: [], reasons: [], parts: [], considered: [], fixes: [], events: [] },
          } as never;
        }
        throw new ResourceNotExistsError(`Instance ${name} not found`, {
          ...{ status: 400, body: null, requestId: null },
        } as never);
      },
    }),
  });
}

it('claims no missing check where nothing was found that is worth recording', async () => {
  await world();
  await screen.findByText('Checks have recorded nothing yet.');
});

it('cordons an instance with a reason and an end', async () => {
  const { user } = await world();
  await user.click(await screen.findByRole('button', { name: 'Cordon' }));
  const dialog = await screen.findByRole('dialog', { name: 'Cordon lab-0' });
  await user.type(within(dialog).getByLabelText('Reason'), 'a fan');
  await user.click(within(dialog).getByRole('button', { name: 'Cordon' }));
  const care = { reason: 'a fan', seconds: null, until: null };
  await waitFor(() => expect(calls).toEqual([['cordon', ['lab-0'], care]]));
});

it('drains an instance within an hour by default', async () => {
  const { user } = await world();
  await user.click(await screen.findByRole('button', { name: 'Drain' }));
  const dialog = await screen.findByRole('dialog', { name: 'Drain lab-0' });
  await user.click(within(dialog).getByRole('button', { name: 'Drain' }));
  await waitFor(() =>
    expect(calls).toEqual([['drain', ['lab-0'], { reason: null, seconds: 3600 }]]),
  );
});

it('lets an instance that a person has drained get jobs again', async () => {
  const { user } = await world({
    scheduling: {
      ...{ state: 'drained', reason: 'a fan', by: 'ann', since: null, until: null },
      deadline: null,
    },
  });
  expect(await screen.findAllByText('Drained')).not.toEqual([]);
  expect(screen.queryByRole('button', { name: 'Drain' })).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Uncordon' }));
  await waitFor(() => expect(calls).toEqual([['uncordon', ['lab-0']]]));
});

it('is found by its name, and gets the address with its id', async () => {
  const { path } = await world({}, 'lab-0');
  await screen.findByText('Checks have recorded nothing yet.');
  expect(path()).toBe(`/projects/main/instances/${anInstance('lab', 0).id}`);
});

it('reports in words that there is no instance of a name', async () => {
  await world({}, 'lab-7');
  await screen.findByText('There is no instance lab-7');
});
