import { describe, expect, test } from 'vitest';
import { aFleet, anInstance } from '../reconcile/testing/records.ts';
import { fleetMatcher, matchesFleet } from './fleet-match.ts';

const inZone = (zone: string | null) => {
  const instance = anInstance();
  if (instance.provisioningData === null) throw new Error('no machine');
  const provisioningData = { ...instance.provisioningData, availability_zone: zone };
  return { ...instance, provisioningData };
};

const machine = anInstance();
const elsewhere = aFleet({ regions: ['eu-west-1'] });
const zone = aFleet({ availability_zones: ['us-east-1a'] });
const large = aFleet({ resources: { cpu: { count: { min: 64, max: null } } } as never });
const ssh = aFleet({ nodes: null, ssh_config: { hosts: [] } as never, regions: ['eu-west-1'] });

describe('an instance', () => {
  test.each([
    ['fits a fleet without conditions', machine, aFleet(), true],
    ['does not fit one of another region', machine, elsewhere, false],
    ['does not fit one that requires more CPUs', machine, large, false],
    ['fits one of its zone', inZone('us-east-1a'), zone, true],
    ['does not fit one of another zone', inZone('us-east-1b'), zone, false],
    ['of an unknown zone fits one of any zone', inZone(null), zone, true],
    ['without a known machine fits', { ...machine, offer: null }, elsewhere, true],
    ['of SSH hosts fits', machine, ssh, true],
  ])('%s', (_what, instance, fleet, fits) => {
    expect(matchesFleet(instance, fleet)).toBe(fits);
    expect([machine, instance].map(fleetMatcher(fleet)).at(-1)).toBe(fits);
  });
});
