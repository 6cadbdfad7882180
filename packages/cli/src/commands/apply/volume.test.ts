import type { Volume, VolumeConfiguration } from '@dstack/contract/wire';
import { describe, expect, test } from 'vitest';
import { decideVolume } from './volume.ts';

const wanted = { type: 'volume', name: 'data', backend: 'aws', size: 100 } as VolumeConfiguration;

const present = (patch: Partial<Volume> = {}): Volume =>
  ({ name: 'data', status: 'active', external: false, configuration: wanted, ...patch }) as Volume;

describe('decisions about a volume', () => {
  test('an existing volume is left alone', () => {
    expect(decideVolume('data', present(), wanted)).toMatchObject({ unchanged: true });
  });

  test('a volume with data is replaced only after a warning', () => {
    const larger = { ...wanted, size: 200 } as VolumeConfiguration;
    const decision = decideVolume('data', present(), larger);
    expect(decision).toMatchObject({ unchanged: false, replaces: true });
    expect(decision.question).toMatch(/ALL DATA/);
    const external = decideVolume('data', present({ external: true }), larger);
    expect(external.question).toBe('Re-create the volume?');
  });

  test('a failed volume is created again without any change', () => {
    const failed = present({ status: 'failed', status_message: 'quota exceeded' });
    expect(decideVolume('data', failed, wanted)).toEqual({
      ...{ notice: 'Found volume data, which has failed (quota exceeded).', unchanged: false },
      ...{ question: 'Re-create the volume?', replaces: true },
    });
  });
});
