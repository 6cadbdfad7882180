import { RunSpec } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RUN_SPEC_SETTINGS, prepareRunSpec } from './index.ts';

const sent = (configuration: object, spec: object = {}): RunSpec =>
  RunSpec.parse({ run_name: 'train', configuration, ...spec });
const task = (more: object = {}) => sent({ type: 'task', commands: ['true'], ...more });
const service = (more: object) =>
  sent({ type: 'service', port: 80, commands: ['true'], image: 'x', ...more });
const answer = (spec: RunSpec, settings: object = {}) => {
  const prepared = prepareRunSpec(spec, {
    userPublicKey: 'ssh-ed25519 AAAA me',
    settings: { ...DEFAULT_RUN_SPEC_SETTINGS, ...settings },
  });
  return prepared.ok ? 'accepted' : prepared.message;
};
const many = <T>(count: number, item: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => item(i));

describe('the size of a run', () => {
  it.each([
    ['nodes', task({ nodes: 1_000_000_000 }), /up to 1000000000 jobs.*allows 500/],
    [
      'nodes of groups',
      task({ commands: undefined, groups: many(3, () => ({ commands: ['x'], nodes: 200 })) }),
      /up to 600 jobs/,
    ],
    ['replicas', service({ replicas: 501 }), /up to 501 jobs/],
    [
      'replicas that scaling may start',
      service({ replicas: '0..100000', scaling: { metric: 'rps', target: 1 } }),
      /up to 100000 jobs/,
    ],
    ['items of a list', task({ regions: many(1001, (i) => `r${i}`) }), /`regions` has 1001 items/],
    [
      'items of an inner list',
      task({ resources: { gpu: { name: many(1001, () => 'A100') } } }),
      /`resources.gpu.name` has 1001/,
    ],
    [
      'values that stand in a text many times',
      task({
        commands: ['$'.concat('{{array.value}}').repeat(2000)],
        array: { values: ['x'.repeat(3000), 'y'] },
      }),
      /configuration of a member becomes too large by the values/,
    ],
    [
      'values of many members',
      task({
        commands: ['$'.concat('{{array.value}}').repeat(40)],
        array: { values: many(10_000, (i) => `${i}`.padEnd(400)) },
      }),
      /too large for 10000 members/,
    ],
    [
      'entries of a map',
      task({ env: Object.fromEntries(many(1001, (i) => [`K${i}`, 'v'])) }),
      /`env` has 1001 items/,
    ],
    [
      'items of a profile',
      sent(
        { type: 'task', commands: ['x'] },
        { profile: { name: 'p', regions: many(1001, () => 'r') } },
      ),
      /`profile.regions` has 1001/,
    ],
    [
      'expressions of a schedule',
      task({ schedule: { cron: many(33, () => '0 0 29 2 *') } }),
      /`schedule.cron` has 33 expressions/,
    ],
    [
      'text for that many jobs',
      task({ nodes: 300, commands: ['x'.repeat(15_000)] }),
      /too large for 300 jobs/,
    ],
  ])('is bounded in %s', (_what, spec, message) => {
    expect(answer(spec)).toMatch(message);
  });

  it.each([
    ['500 nodes', task({ nodes: 500 })],
    ['a long script', task({ commands: ['x'.repeat(500_000)] })],
    ['a thousand variables', task({ env: Object.fromEntries(many(1000, (i) => [`K${i}`, 'v'])) })],
  ])('of %s is accepted', (_what, spec) => {
    expect(answer(spec)).toBe('accepted');
  });

  it('follows the setting of the server', () => {
    expect(answer(task({ nodes: 600 }), { maxJobs: 1000 })).toBe('accepted');
  });
});
