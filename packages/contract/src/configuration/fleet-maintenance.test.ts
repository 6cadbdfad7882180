import { expect, it } from 'vitest';
import { FleetConfiguration } from './fleet.ts';

const parsed = (maintenance: unknown) => FleetConfiguration.safeParse({ nodes: 1, maintenance });
const problem = (maintenance: unknown): string =>
  parsed(maintenance).error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`)[0] ??
  '';

it('has a schedule or several, a duration, and an hour of notice by default', () => {
  expect(parsed({ schedule: '0 2 * * sun', duration: '4h' }).data?.maintenance).toEqual({
    ...{ schedule: ['0 2 * * sun'], duration: 14_400, lead: 3600 },
  });
  const several = ['0 2 * * sun', '0 12 last * *'];
  expect(parsed({ schedule: several, duration: 600, lead: '5m' }).data?.maintenance).toEqual({
    ...{ schedule: several, duration: 600, lead: 300 },
  });
  expect(parsed(null).success).toBe(true);
});

it('names what is wrong', () => {
  expect(problem({ duration: '4h' })).toMatch(/^maintenance\.schedule/);
  expect(problem({ schedule: '0 2 * * sun' })).toMatch(/^maintenance\.duration/);
  expect(problem({ schedule: 'nightly', duration: '4h' })).toMatch(
    /schedule must have five fields/,
  );
  expect(problem({ schedule: [], duration: '4h' })).toMatch(/one schedule or more/);
  expect(problem({ schedule: '0 2 * * sun', duration: 59 })).toMatch(/duration must be 1m or more/);
  expect(problem({ schedule: '0 2 * * sun', duration: '4h', lead: 0 })).toMatch(/lead must be 1m/);
  expect(problem({ schedule: '0 2 * * sun', duration: '4h', every: 1 })).toMatch(/every/);
});
