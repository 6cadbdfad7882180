import type { Instance } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { troubledFleets, troubleText } from './troubled-fleets.ts';

const host = (name: string, fleet: string, more: Partial<Instance> = {}): Instance =>
  ({
    ...{ name, fleet_id: fleet, fleet_name: fleet, project_name: 'main', status: 'idle' },
    ...{ unreachable: false, health_status: 'healthy', ...more },
  }) as Instance;

it('groups hosts that need attention by fleet, without those that are well or ended', () => {
  const fleets = troubledFleets([
    host('a-0', 'a', { unreachable: true }),
    host('b-0', 'b', { health_status: 'failure' }),
    host('b-1', 'b', { health_status: 'warning' }),
    host('b-2', 'b'),
    host('c-0', 'c', { unreachable: true, status: 'terminated' }),
  ]);
  expect(fleets.map(({ name, instances }) => [name, instances.map((one) => one.name)])).toEqual([
    ['b', ['b-0', 'b-1']],
    ['a', ['a-0']],
  ]);
});

it('gives the reason of the check, if it is known', () => {
  expect(troubleText(host('a', 'a', { unreachable: true }))).toMatch('does not answer');
  const failing = { health_status: 'failure', health_message: 'GPU 3: ECC errors' } as const;
  expect(troubleText(host('a', 'a', failing))).toBe('GPU 3: ECC errors');
});
