import { FleetSpec } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { windowStart } from './maintenance-watch.ts';

const at = (text: string) => Date.parse(`2026-01-01T${text}Z`) * 1000;

it.each([
  ['5-59/15', 240, '10:04:59', null],
  ['5-59/15', 240, '10:05:00', '10:05:00'],
  ['5-59/15', 240, '10:08:59', '10:05:00'],
  ['5-59/15', 240, '10:09:00', null],
  ['5-59/15', 240, '11:00:00', null],
  ['0-59/30', 300, '11:02:00', '11:00:00'],
])('of windows at %s for %i s, the one at %s has begun at %s', (minutes, duration, now, start) => {
  const { configuration } = FleetSpec.parse({
    configuration: {
      ...{ type: 'fleet', name: 'f', nodes: { min: 0, max: 1 } },
      maintenance: { schedule: [`${minutes} * * * *`], duration, lead: 60 },
    },
    profile: {},
  });
  const { maintenance } = configuration;
  if (!maintenance) throw new Error('no windows');
  expect(windowStart(maintenance, at(now))).toBe(start === null ? null : at(start));
});
