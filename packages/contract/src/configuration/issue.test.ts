import { expect, test } from 'vitest';
import type * as z from 'zod';
import { AnyConfiguration, RunConfiguration, VolumeConfiguration } from './index.ts';
import { describeIssues, tagOf } from './issue.ts';

/** Findings in the form of the API: type and place, tags of unions included. */
function findings(schema: z.ZodType, input: unknown) {
  const result = schema.safeParse(input);
  if (result.success) throw new Error('accepted');
  return describeIssues(result.error, input, 'last').map(({ type, path }) => [
    type,
    ...path.map((element) => tagOf(element) ?? element),
  ]);
}

const task = { type: 'task', commands: ['true'], image: 'x' };

test.each([
  [{ ...task, comands: ['x'] }, ['extra_forbidden', 'task', 'comands']],
  [{ ...task, resources: { gpu: 'H100:x:y' } }, ['value_error', 'task', 'resources', 'gpu']],
  [{ ...task, python: '3.12' }, ['value_error', 'task', 'python']],
  [{ ...task, ports: ['x:y'] }, ['value_error', 'task', 'ports', 0]],
  [{ ...task, schedule: { cron: '61 * * * *' } }, ['value_error', 'task', 'schedule', 'cron']],
  [{ ...task, priority: 101 }, ['less_than_equal', 'task', 'priority']],
  [{ ...task, nodes: 'x' }, ['int_parsing', 'task', 'nodes']],
  [{ ...task, privileged: null }, ['bool_type', 'task', 'privileged']],
  [{ ...task, spot_policy: 'x' }, ['enum', 'task', 'spot_policy']],
  [{ ...task, max_price: 0 }, ['greater_than', 'task', 'max_price']],
  [{ ...task, commands: 'x' }, ['list_type', 'task', 'commands']],
  [{ ...task, instances: [] }, ['too_short', 'task', 'instances']],
  [{ ...task, registry_auth: { username: 'a' } }, ['missing', 'task', 'registry_auth', 'password']],
  [{ ...task, registry_auth: 'a' }, ['model_attributes_type', 'task', 'registry_auth']],
  [{ type: 'job' }, ['union_tag_invalid']],
  [{}, ['union_tag_not_found']],
  [[], ['model_attributes_type']],
  [{ type: 'task' }, ['value_error', 'task']],
])('%j', (input, expected) => {
  expect(findings(RunConfiguration, input)).toEqual([expected]);
});

test('the place of a finding in a volume includes its backend', () => {
  const volume = { type: 'volume', backend: 'aws', region: 'r', size: 'x' };
  expect(findings(VolumeConfiguration, volume)).toEqual([['value_error', 'aws', 'size']]);
  expect(findings(AnyConfiguration, volume)).toEqual([['value_error', 'volume', 'aws', 'size']]);
});

test('a finding about the size of a fleet is at the bound, as in dstack 0.22.5', () => {
  expect(findings(AnyConfiguration, { type: 'fleet', nodes: -1 })).toEqual([
    ['value_error', 'fleet', 'nodes', 'min'],
  ]);
});

test('a rule over several keys is checked only if the other keys are valid', () => {
  const wrong = { type: 'task', name: 1, priority: 101 };
  expect(findings(RunConfiguration, wrong)).toEqual([['less_than_equal', 'task', 'priority']]);
});
