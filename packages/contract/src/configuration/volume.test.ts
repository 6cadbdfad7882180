import { describe, expect, test } from 'vitest';
import { hostVolumePlace } from '../grammar/volume-place.ts';
import { parseConfiguration } from './parse-configuration.ts';
import { VolumeConfiguration } from './volume.ts';

const WIRE = {
  ...{ type: 'volume', name: 'data', backend: 'kubernetes', region: 'ssh:gpus', size: 100 },
  ...{ auto_cleanup_duration: null, tags: null, claim_name: null, storage_class_name: null },
  ...{ access_modes: ['ReadWriteMany'], read_only: false },
};

describe('a volume on hosts', () => {
  const remote = (more: string) =>
    parseConfiguration(`type: volume\nname: data\nbackend: remote\n${more}`, 'configuration');

  test('is a Kubernetes volume in a reserved region on the wire', () => {
    const parsed = remote('region: gpus\nsize: 100GB\n');
    expect(parsed).toMatchObject({ ok: true, value: WIRE });
    expect(hostVolumePlace(WIRE)).toBe('gpus');
    expect(hostVolumePlace({ ...WIRE, region: 'ssh:local' })).toBe('local');
    expect(hostVolumePlace({ ...WIRE, region: 'eu-west' })).toBeNull();
    expect(hostVolumePlace({ ...WIRE, backend: 'aws' })).toBeNull();
  });

  test('may name its instance, and needs no size', () => {
    const parsed = remote('region: gpus\navailability_zone: gpus-1\n');
    expect(parsed).toMatchObject({
      ...{ ok: true, warnings: [] },
      value: { availability_zone: 'gpus-1', size: null },
    });
  });

  test('is read from its wire form as it is', () => {
    expect(VolumeConfiguration.parse(WIRE)).toEqual(WIRE);
  });

  test.each([
    ['size: 1GB', 'region'],
    ['region: Not A Fleet', 'SSH fleet'],
    ['region: gpus\nvolume_id: v', 'volume_id'],
    ['region: gpus\naccess_modes: [ReadWriteOnce]', 'access_modes'],
  ])('is refused with %j', (more, message) => {
    const parsed = remote(more);
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).toContain(message);
  });
});

describe('a fleet', () => {
  const fleet = (path: string) =>
    parseConfiguration(
      `type: fleet\nname: gpus\nssh_config: {hosts: [10.0.0.1]}\nshared_volumes_path: ${path}\n`,
      'configuration',
    );

  test('names a directory that its hosts share', () => {
    expect(fleet('/mnt/nfs/')).toMatchObject({
      value: { shared_volumes_path: '/mnt/nfs' },
    });
  });

  test.each(['nfs', '/', '/mnt/../etc', '"/mnt/\\u0007"'])('does not share %s', (path) => {
    expect(fleet(path).ok).toBe(false);
  });
});
