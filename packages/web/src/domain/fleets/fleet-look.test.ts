import { FLEET_STATUSES, INSTANCE_STATUSES } from '@dstack/contract/status';
import { expect, it } from 'vitest';
import { fleetLook, type InstanceState, instanceLook } from './fleet-look.ts';

const instance = (more: Partial<InstanceState>): InstanceState => ({
  status: 'idle',
  unreachable: false,
  health_status: 'healthy',
  total_blocks: 1,
  busy_blocks: 0,
  ...more,
});

it('has a word for each status', () => {
  expect(FLEET_STATUSES.map((status) => fleetLook(status).text)).toEqual([
    'Submitted',
    'Active',
    'Deleting',
    'Deleted',
    'Failed',
  ]);
  expect(INSTANCE_STATUSES.map((status) => instanceLook(instance({ status })).text)).toEqual([
    'Pending',
    'Provisioning',
    'Idle',
    'Busy',
    'Terminating',
    'Terminated',
  ]);
});

it('shows a window of maintenance that is near or on', () => {
  const looks = (['planned', 'leaving', 'on'] as const).map((state) => {
    const at = '2026-12-06T02:00:00Z';
    const window = { state, leaving_at: at, starts_at: at, ends_at: at };
    return fleetLook('active', window).text;
  });
  expect(looks).toEqual(['Active', 'Maintenance soon', 'In maintenance']);
});

it('shows what needs a person before what the instance does', () => {
  const busy = { status: 'busy', busy_blocks: 2, total_blocks: 4 } as const;
  expect(instanceLook(instance(busy)).text).toBe('Busy 2/4');
  expect(instanceLook(instance({ ...busy, health_status: 'failure' })).text).toBe('Failing');
  expect(instanceLook(instance({ ...busy, unreachable: true })).text).toBe('Unreachable');
  expect(instanceLook(instance({ status: 'terminated', unreachable: true })).text).toBe(
    'Terminated',
  );
});

it('shows that a person keeps new jobs off an instance, unless something is wrong with it', () => {
  const care = (state: 'cordoned' | 'draining' | 'drained' | 'quarantined') => ({
    scheduling: { state, reason: null, by: 'ann', since: null, until: null, deadline: null },
  });
  expect(instanceLook(instance(care('cordoned'))).text).toBe('Cordoned');
  expect(instanceLook(instance(care('drained'))).text).toBe('Drained');
  const busy = { status: 'busy', busy_blocks: 2, total_blocks: 4 } as const;
  expect(instanceLook(instance({ ...busy, ...care('draining') })).text).toBe('Busy 2/4, draining');
  expect(instanceLook(instance({ ...care('cordoned'), unreachable: true })).text).toBe(
    'Unreachable',
  );
  expect(instanceLook(instance(care('quarantined'))).text).toBe('Idle');
});
