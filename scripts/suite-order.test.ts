import { expect, it } from 'vitest';
import { suiteOrder } from './suite-order.ts';

const suite = (name: string, path: string) => ({ moduleId: `/src/${path}`, project: { name } });
const e2e = (name: string) => suite('e2e', `e2e/${name}.test.ts`);

it('the official client is spread, and what needs Kubernetes, then the simulation, end the e2e suites', () => {
  const others = Array.from({ length: 9 }, (_, i) => e2e(`other-${i}`));
  const clients = ['v0.21.5', 'over-ssh.v0.22.5'].map((name) => e2e(`official-client/${name}`));
  const contract = suite('real', 'packages/server/src/capacity/kubernetes-contract.real.test.ts');
  const cluster = ['kubernetes', 'kubernetes-server'].map(e2e);
  const simulation = suite('real', 'packages/server/src/testing/simulation.real.test.ts');
  const rest = [
    suite('real', 'packages/store/src/runs.real.test.ts'),
    suite('unit', 'packages/core/src/kubernetes-kind.test.ts'),
  ];
  const order = suiteOrder([...cluster, ...clients, ...others, contract, ...rest, simulation]);
  expect(order).toEqual([
    clients[0],
    ...others.slice(0, 6),
    clients[1],
    ...others.slice(6),
    ...cluster,
    contract,
    simulation,
    ...rest,
  ]);
});

it('a run of a few suites has them all', () => {
  const cluster = e2e('kubernetes');
  expect(suiteOrder([cluster])).toEqual([cluster]);
  expect(suiteOrder([])).toEqual([]);
});
