import { expect, test } from 'vitest';
import { AnyConfiguration, FleetConfiguration, Profile, TaskConfiguration } from './index.ts';
import { mergeFleetProfile, mergeProfile, mergeRunProfile } from './merge-profile.ts';
import { PROFILE_KEYS } from './profile.ts';

const task = (keys: object) => TaskConfiguration.parse({ commands: ['a'], ...keys });
const profile = (keys: object) => Profile.parse({ name: 'p', ...keys });

test('there are 20 keys that profiles and configurations share', () => {
  expect(PROFILE_KEYS).toHaveLength(20);
});

test.each([
  [{ max_price: 1, spot_policy: 'spot' }, { max_price: 2 }, { max_price: 2, spot_policy: 'spot' }],
  [{ retry: true }, { retry: false }, { retry: false }],
  [{ max_duration: '1h' }, { max_duration: true }, { max_duration: 3600 }],
  [{ max_duration: '1h' }, { max_duration: 'off' }, { max_duration: 'off' }],
  [{ tags: { a: '1' } }, { tags: { b: '2' } }, { tags: { b: '2' } }],
  [{ backends: ['aws'] }, { backends: [] }, { backends: [] }],
  [{ idle_duration: '1h' }, {}, { idle_duration: 3600 }],
])('profile %j and configuration %j give %j', (inProfile, inTask, expected) => {
  expect(mergeProfile(task(inTask), profile(inProfile))).toMatchObject({ name: 'p', ...expected });
});

test('runs create instances by default', () => {
  expect(mergeRunProfile(task({}), profile({})).creation_policy).toBe('reuse-or-create');
  expect(mergeRunProfile(task({}), profile({ creation_policy: 'reuse' })).creation_policy).toBe(
    'reuse',
  );
});

test('fleets use on-demand instances and do not retry by default', () => {
  const fleet = FleetConfiguration.parse({ nodes: 1, max_price: 3 });
  expect(mergeFleetProfile(fleet, profile({ max_duration: '1h' }))).toMatchObject({
    spot_policy: 'on-demand',
    retry: false,
    max_price: 3,
    max_duration: 3600,
  });
});

test('neither input is changed', () => {
  const before = profile({ tags: { a: '1' } });
  const copy = structuredClone(before);
  mergeProfile(task({ tags: { b: '2' } }), before);
  expect(before).toEqual(copy);
  expect(AnyConfiguration.parse({ type: 'task', commands: ['a'] })).toMatchObject({ tags: null });
});
