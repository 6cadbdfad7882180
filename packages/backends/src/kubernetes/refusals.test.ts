import type { KubernetesSettings } from '@dstack/contract';
import { expect, it } from 'vitest';
import { refusedSetting } from './refusals.ts';

const settings = (some: Partial<KubernetesSettings>) => some as KubernetesSettings;

it.each([
  [
    'pods "a" is forbidden: error looking up service account default/absent: serviceaccount "absent" not found',
    { service_account: 'absent' },
    'service_account',
  ],
  [
    'pods "a" is forbidden: no PriorityClass with name absent was found',
    { priority_class: 'absent' },
    'priority_class',
  ],
  [
    'pods "a" is forbidden: pod rejected: RuntimeClass "nope" not found',
    { runtime_class: 'nope' },
    'runtime_class',
  ],
  [
    'Pod "a" is invalid: metadata.annotations: Invalid value: "x y"',
    { annotations: { 'x y': 'z' } },
    'annotations',
  ],
] as const)('of the API %j is about a setting of the run', (message, some, setting) => {
  expect(refusedSetting(message, settings(some))).toBe(setting);
  expect(refusedSetting(message, settings({}))).toBe(null);
  expect(refusedSetting(message, null)).toBe(null);
});

it('of the API about a right of the server is about none', () => {
  const message = 'pods is forbidden: User "x" cannot create resource "pods" in API group ""';
  expect(refusedSetting(message, settings({ priority_class: 'low' }))).toBe(null);
});
