import type { SlurmSettings } from '@dstack/contract';
import { expect, it } from 'vitest';
import { refusedSetting } from './refusals.ts';

const settings = (some: Partial<SlurmSettings>) => ({ options: {}, ...some }) as SlurmSettings;
const failed = (why: string) => `sbatch: error: Batch job submission failed: ${why}\n`;

it.each([
  [failed('Invalid partition name specified'), { partition: 'nope' }, 'partition'],
  [failed('Invalid qos specification'), { qos: 'nope' }, 'qos'],
  [failed('Invalid feature specification'), { constraint: 'nope' }, 'constraint'],
  [failed('Requested reservation is invalid'), { reservation: 'nope' }, 'reservation'],
  [failed('Invalid generic resource (gres) specification'), { options: { gres: 'x' } }, 'options'],
] as const)('is by %j about a setting of the run', (output, some, setting) => {
  expect(refusedSetting(output, settings(some))).toBe(setting);
  expect(refusedSetting(output, settings({}))).toBe(null);
  expect(refusedSetting(output, null)).toBe(null);
});

it('is about an account for all nodes only if the partition is the same for all', () => {
  const output = failed('Invalid account or account/partition combination specified');
  expect(refusedSetting(output, settings({ account: 'a' }))).toBe(null);
  expect(refusedSetting(output, settings({ account: 'a', partition: 'p' }))).toBe('account');
});

it('is not about a setting where nodes are too small or the controller is away', () => {
  for (const why of ['Requested node configuration is not available', 'Socket timed out']) {
    expect(refusedSetting(failed(why), settings({ partition: 'p', qos: 'q' }))).toBe(null);
  }
});
