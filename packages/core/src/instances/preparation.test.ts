import { describe, expect, it } from 'vitest';
import { eventMessage } from '../events/event-message.ts';
import type { InstanceRecord } from '../model/index.ts';
import { instanceRecord } from '../testing/records.ts';
import { reportPreparation } from './preparation.ts';

const about = (patch: Partial<InstanceRecord>) => ({
  instance: instanceRecord({ status: 'pending', handle: null, ...patch }),
  jobs: [{ runId: 'r' }],
});

const eventsOf = (patch: Partial<InstanceRecord>, text: string) =>
  (reportPreparation(about(patch), text)?.changes ?? []).flatMap((change) =>
    change.type === 'event' ? [eventMessage(change.event)] : [],
  );

describe('what a backend does before it creates an instance', () => {
  it('is shown with the instance; only the first amount of a stage is an event', () => {
    const copying = 'copying the agent to login (0 of 47 MB)';
    expect(reportPreparation(about({}), copying)?.changes[0]).toMatchObject({
      type: 'instance.update',
      set: { terminationMessage: copying },
    });
    expect(eventsOf({}, copying)).toEqual([
      'Instance is being provisioned: copying the agent to login',
    ]);
    const next = 'copying the agent to login (3 of 47 MB)';
    expect(eventsOf({ terminationMessage: copying }, next)).toEqual([]);
    expect(reportPreparation(about({ terminationMessage: copying }), next)?.changes).toHaveLength(
      1,
    );
  });

  it('is shown to those who follow the runs that wait for it, with each amount', () => {
    const shown = { terminationMessage: 'copying the agent to login (3 of 47 MB)' };
    const next = reportPreparation(about(shown), 'copying the agent to login (9 of 47 MB)');
    expect(next?.signals).toEqual([{ kind: 'run', id: 'r' }]);
  });

  it('is not written twice, nor for an instance that exists or has ended', () => {
    expect(reportPreparation(about({ terminationMessage: 'copying' }), 'copying')).toBeNull();
    const handle = { id: 'i', data: null };
    expect(reportPreparation(about({ handle }), 'copying')).toBeNull();
    for (const status of ['provisioning', 'terminating', 'terminated'] as const) {
      expect(reportPreparation(about({ status }), 'copying')).toBeNull();
    }
  });
});
