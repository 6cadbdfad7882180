import type { GatewayCommand } from '@dstack/contract/agent';
import type { ServiceView } from '@dstack/store';
import { expect, it, vi } from 'vitest';
import { GatewayAccess } from './gateway-access.ts';

const record = {
  ...{ time: 1, method: 'GET', path: '/', status: 200, ms: 1 },
  ...{ user: null, address: '', request_id: '' },
};

function world() {
  const access = new GatewayAccess({
    onGateway: async (id) =>
      id === 'web' ? ({ run: { gatewayId: 'edge' } } as unknown as ServiceView) : null,
  });
  const asked: Extract<GatewayCommand, { type: 'access' }>[] = [];
  const replicas = ['r0', 'r1'];
  const source = (gatewayId: string, isOpen = true) => ({
    ...{ gatewayId, isOpen: () => isOpen },
    send: (order: GatewayCommand) => {
      if (order.type === 'access') asked.push(order);
    },
  });
  const answer = (at: number, process: string) => {
    const pages = [{ process, next: 3, skipped: 0, records: [record] }];
    access.answered(replicas[at] ?? '', { type: 'accessed', n: asked[at]?.n ?? 0, pages });
  };
  return { access, asked, source, answer };
}

it('the replicas of the gateway of a service are asked, with what was read of them before', async () => {
  const { access, asked, source, answer } = world();
  access.opened('r0', source('edge'));
  access.opened('r1', source('edge'));
  access.opened('closed', source('edge', false));
  access.opened('other', source('another'));
  const reading = access.read('web', new Map([...Object.entries({ w0: 2, 'peer/w9': 5 })]));
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  expect(asked[0]).toMatchObject({ run_id: 'web', after: { w0: 2 } });
  // A number of another replica's question is not its own.
  access.answered('r1', { type: 'accessed', n: asked[0]?.n ?? 0, pages: [] });
  answer(1, 'w1');
  answer(0, 'w0');
  const pages = await reading;
  expect(pages.get('w0')).toEqual({ next: 3, skipped: 0, records: [{ ...record, job_id: null }] });
  expect([...pages.keys()].sort()).toEqual(['w0', 'w1']);
});

it('a program that does not answer is left out, and its late answer changes nothing', async () => {
  vi.useFakeTimers();
  const { access, asked, source, answer } = world();
  access.opened('r0', source('edge'));
  const reading = access.read('web', new Map());
  await vi.advanceTimersByTimeAsync(2000);
  expect(await reading).toEqual(new Map());
  answer(0, 'w0');
  access.forget('r0');
  expect(await access.read('web', new Map())).toEqual(new Map());
  expect(asked).toHaveLength(1);
  vi.useRealTimers();
});

it('for services without a gateway, no program is asked', async () => {
  const { access, asked, source } = world();
  access.opened('r0', source('edge'));
  expect(await access.read('here', new Map())).toEqual(new Map());
  expect(asked).toEqual([]);
});
