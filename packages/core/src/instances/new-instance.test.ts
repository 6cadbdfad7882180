import { expect, it } from 'vitest';
import type { BackendName } from '../model/index.ts';
import { aFleet, anInstance } from '../reconcile/testing/records.ts';
import { withIdleDuration } from './new-instance.ts';

function changed(before: number, instance: { backend: BackendName; idleSeconds: number }) {
  const spec = (idle_duration: number) => aFleet({ idle_duration }).spec;
  const { changes } = withIdleDuration([anInstance(instance)], spec(before), spec(3600));
  return changes.map((change) => (change.type === 'instance.update' ? change.set : change));
}

it.each<[string, BackendName, number, number, object[]]>([
  ['a machine of the fleet', 'aws', 60, 60, [{ idleSeconds: 3600 }]],
  ['a machine of a fleet whose machines were never idle', 'aws', 0, 0, [{ idleSeconds: 3600 }]],
  ['a machine for a single job, which ends with it', 'aws', 60, 0, []],
  ['a machine that is the container of its job', 'runpod', 0, 0, []],
  ['a host, which is never terminated because it is idle', 'remote', 60, 60, []],
])('another idle duration of a fleet and %s', (_what, backend, before, idleSeconds, expected) => {
  expect(changed(before, { backend, idleSeconds })).toEqual(expected);
});
