import { act, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { aFleet, anInstance } from '../../testing/fleets.ts';
import { renderApp } from '../../testing/render-app.tsx';

const deleted: string[] = [];

function world(path: string, fleets = [aFleet('pool', [anInstance('pool', 0)]), aFleet('spare')]) {
  deleted.length = 0;
  return renderApp(path, {
    server: { listFleets: async () => fleets, listEvents: async () => [] },
    project: () => ({
      fleets: {
        get: async () => fleets[0],
        listJobs: async () => [
          {
            instance_id: fleets[0]?.instances[0]?.id,
            run_id: 'r1',
            run_name: 'train',
            project_name: 'main',
            blocks: 1,
          },
        ],
        delete: async (names: readonly string[]) => void deleted.push(...names),
      },
      explain: async () => {
        throw new Error('not asked here');
      },
    }),
  });
}

it('names what is deleted with a fleet, and deletes it only then', async () => {
  const { user } = await world('/fleets');
  await user.click(await screen.findByRole('checkbox', { name: 'Select pool' }));
  await user.click(screen.getByRole('button', { name: 'Delete' }));
  const dialog = await screen.findByRole('dialog', { name: 'Delete fleet pool?' });
  within(dialog).getByText(/1 instance will be terminated/);
  expect(deleted).toEqual([]);
  await user.click(within(dialog).getByRole('button', { name: 'Delete' }));
  await waitFor(() => expect(deleted).toEqual(['pool']));
});

it('has the actions of a row in a menu, also deleting, which names what is lost', async () => {
  const { user, path } = await world('/fleets');
  (await screen.findByRole('link', { name: 'spare' })).focus();
  await user.keyboard('.');
  await user.click(await screen.findByRole('menuitem', { name: 'Delete' }));
  const dialog = await screen.findByRole('dialog', { name: 'Delete fleet spare?' });
  await user.click(within(dialog).getByRole('button', { name: 'Delete' }));
  await waitFor(() => expect(deleted).toEqual(['spare']));
  await user.click(screen.getByRole('button', { name: 'Instances pool' }));
  await waitFor(() => expect(path()).toMatch(/^\/instances\?fleet_ids=/));
});

it('groups the rows by what the address or the reader chooses', async () => {
  const { user, path } = await world('/fleets?group=nonsense');
  await screen.findByRole('link', { name: 'spare' });
  expect(screen.queryByRole('columnheader', { name: /2$/ })).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Columns' }));
  await user.click(await screen.findByRole('menuitemradio', { name: 'Project' }));
  await screen.findByRole('columnheader', { name: 'main 2' });
  expect(path()).toBe('/fleets?group=project');
});

it('teaches how to create the first fleet', async () => {
  await world('/fleets', []);
  await screen.findByText('No fleets yet');
  screen.getByText('dstack apply -f fleet.dstack.yml');
});

it('shows the hosts of a fleet, the jobs on them, and changes as they happen', async () => {
  const { live } = await world('/projects/main/fleets/pool');
  const map = await screen.findByRole('list', { name: 'Hosts' });
  within(map).getByText('Idle');
  const job = await within(map).findByRole('link', { name: 'train' });
  expect(job.getAttribute('href')).toBe('/projects/main/runs/train');
  const data = anInstance('pool', 0, { status: 'busy', busy_blocks: 1 });
  act(() => live.onChange({ type: 'instance', id: data.id, project: 'main', version: 2, data }));
  await within(map).findByText('Busy');
  within(map).getByRole('img', { name: 'in use' });
});

it('shows how busy the fleets were, with one request for all of them', async () => {
  const busy = { status: 'busy' } as const;
  const pool = [anInstance('pool', 0, busy, 8), anInstance('pool', 1, {}, 8)];
  const spare = [anInstance('spare', 0, busy, 1)];
  const asked: (readonly string[])[] = [];
  await renderApp('/fleets', {
    server: {
      listFleets: async () => [aFleet('pool', pool), aFleet('spare', spare)],
      listEvents: async () => [],
      recentUse: async (ids: readonly string[]) => {
        asked.push(ids);
        const timestamps = ['2026-11-26T12:00:00Z'];
        return ids
          .filter((id) => id === pool[0]?.id)
          .map((instance_id) => ({ instance_id, kind: 'gpu', timestamps, percents: [50] }));
      },
    },
  });
  // Half of one of its two instances.
  await screen.findByText('GPU 25 %');
  expect(asked).toEqual([[pool[0]?.id, spare[0]?.id]]);
  expect(screen.getAllByRole('img', { name: /in the last 15 minutes/ })).toHaveLength(1);
});

it('shows the list while the figures of its rows never arrive', async () => {
  const fleets = [aFleet('pool', [anInstance('pool', 0, { status: 'busy' })])];
  await renderApp('/fleets', {
    server: {
      listFleets: async () => fleets,
      listEvents: async () => [],
      recentUse: () => new Promise<never>(() => {}),
    },
  });
  await screen.findByRole('link', { name: 'pool' });
  screen.getByText('1 of 1 busy');
});
