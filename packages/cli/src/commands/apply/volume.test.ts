import type { Volume, VolumeConfiguration } from '@dstack/contract/wire';
import { describe, expect, test } from 'vitest';
import type { Cli } from '../../context.ts';
import type { ApplyOptions } from './apply-options.ts';
import { confirmed } from './create-flow.ts';
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
    expect(decision).toMatchObject({ unchanged: false, replaces: true, losesData: true });
    expect(decision.question).toMatch(/ALL DATA/);
    expect(decision.notice).toContain('cannot be updated in-place:\n- size: 100GB -> 200GB');
    const external = decideVolume('data', present({ external: true }), larger);
    expect(external.question).toBe('Re-create the volume?');
  });

  test('--yes alone does not delete the data of a volume', async () => {
    const larger = { ...wanted, size: 200 } as VolumeConfiguration;
    const decision = decideVolume('data', present(), larger);
    const yes = { yes: true, force: false } as ApplyOptions;
    await expect(confirmed(decision, yes, {} as Cli)).rejects.toThrow('--yes alone does not');
    expect(await confirmed(decision, { ...yes, force: true }, {} as Cli)).toBe(true);
  });

  test('a failed volume is created again without any change', () => {
    const failed = present({ status: 'failed', status_message: 'quota exceeded' });
    expect(decideVolume('data', failed, wanted)).toEqual({
      ...{ notice: 'Found volume data, which has failed (quota exceeded).', unchanged: false },
      ...{ question: 'Re-create the volume?', replaces: true },
    });
  });
});
