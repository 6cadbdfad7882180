import type { Volume } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { volumeLook, volumePlaceText } from './volume-look.ts';

it('shows whether an active volume is in use', () => {
  const volume = { status: 'active', deleted: false, attachments: [] } as const;
  const attachments = [{ instance: { name: 'pool-0' } }] as unknown as Volume['attachments'];
  expect(volumeLook({ ...volume, attachments: null }).text).toBe('Not in use');
  expect(volumeLook({ ...volume, attachments }).text).toBe('In use');
  expect(volumeLook({ ...volume, attachments, deleted: true }).text).toBe('Deleted');
  expect(volumeLook({ ...volume, attachments: [], status: 'failed' }).text).toBe('Failed');
});

it('names places on hosts', () => {
  expect(volumePlaceText({ backend: 'kubernetes', region: 'ssh:lab' })).toBe('SSH fleet lab');
  expect(volumePlaceText({ backend: 'kubernetes', region: 'ssh:local' })).toBe(
    'the server’s machine',
  );
  expect(volumePlaceText({ backend: 'aws', region: 'eu-west-1' })).toBe('aws eu-west-1');
  expect(volumePlaceText({ backend: 'kubernetes', region: '' })).toBe('kubernetes');
});
