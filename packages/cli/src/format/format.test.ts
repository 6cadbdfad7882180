import { expect, test } from 'vitest';
import { instanceResources, requestedGpu, requestedResources } from './resources.ts';
import { parseSince } from './since.ts';
import {
  durationInOneUnit,
  durationInUnits,
  parseInstant,
  relativeTime,
  utcClock,
  utcTime,
} from './time.ts';
import { availability, backendWithRegion, gigabytes, price, range } from './values.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString();
const DAY = 86_400;

test.each([
  [0, 'now'],
  [9, 'now'],
  [10, '10 sec ago'],
  [59, '59 sec ago'],
  [60, '1 min ago'],
  [119, '1 min ago'],
  [120, '2 mins ago'],
  [3599, '60 mins ago'],
  [3600, '1 hour ago'],
  [7199, '1 hour ago'],
  [7200, '2 hours ago'],
  [DAY - 1, '24 hours ago'],
  [DAY, 'yesterday'],
  [2 * DAY, '2 days ago'],
  [7 * DAY, '1 week ago'],
  [14 * DAY, '2 weeks ago'],
  [31 * DAY, '1 month ago'],
  [60 * DAY, '2 months ago'],
  [365 * DAY, '1 year ago'],
  [730 * DAY, '2 years ago'],
  [-3600, ''],
])('%i s ago reads "%s"', (seconds, text) => {
  expect(relativeTime(ago(seconds), NOW)).toBe(text);
});

test.each([
  [300, '5m'],
  [90, '90s'],
  [3600, '1h'],
  [604_800, '1w'],
])('%i s is %s in one unit', (seconds, text) => {
  expect(durationInOneUnit(seconds)).toBe(text);
});

test('instants are printed in UTC with the zone, to the minute or the second', () => {
  const at = '2026-11-24T23:30:59.999+05:30';
  expect([utcTime(at), utcTime(at, 'second')]).toEqual([
    '2026-11-24 18:00 UTC',
    '2026-11-24 18:00:59 UTC',
  ]);
  expect([utcClock(at), utcClock(at, 'second')]).toEqual(['18:00 UTC', '18:00:59 UTC']);
  expect([utcTime('soon'), utcClock('')]).toEqual(['', '']);
});

test('a printed instant can be given to another command', () => {
  const at = '2026-11-24T18:00:59.000Z';
  expect(parseInstant(utcTime(at, 'second'))).toBe(at);
  expect(parseInstant(utcTime(at))).toBe('2026-11-24T18:00:00.000Z');
  expect(parseInstant('2026-11-24 23:30+05:30')).toBe('2026-11-24T18:00:00.000Z');
  for (const text of ['2026-11-24 18:00', '2026-13-24 18:00 UTC', '2026-11-24', 'UTC', ''])
    expect(parseInstant(text)).toBeNull();
});

test('a duration in all its units', () => {
  expect(durationInUnits(4545)).toBe('1h 15m 45s');
  expect(durationInUnits(0)).toBe('0s');
});

test('prices and sizes lose trailing zeros', () => {
  expect([0, 3.933, 2.1, 4.19721, 10, 100].map((n) => price(n))).toEqual([
    '$0',
    '$3.933',
    '$2.1',
    '$4.1972',
    '$10',
    '$100',
  ]);
  expect([196_608, 512, 12_052].map(gigabytes)).toEqual(['192GB', '0.5GB', '11.8GB']);
});

test.each([
  [{ min: 1, max: 1 }, '1'],
  [{ min: 2, max: null }, '2..'],
  [{ min: null, max: 8 }, '..8'],
  [{ min: 2, max: 4 }, '2..4'],
])('the range %j reads %s', (value, text) => {
  expect(range(value)).toBe(text);
});

test.each([
  ['aws', 'us-east-1', 'aws (us-east-1)'],
  ['remote', 'remote', 'ssh (remote)'],
  ['remote', 'local', 'local'],
  [null, null, '-'],
])('backend %s in region %s reads %s', (backend, region, text) => {
  expect(backendWithRegion(backend, region)).toBe(text);
});

test('only unavailability is shown, availability is not', () => {
  expect(['available', 'unknown', 'not_available', 'idle'].map(availability)).toEqual([
    '',
    '',
    'not available',
    'idle',
  ]);
});

test('resources of an instance', () => {
  const gpu = { name: 'H100', memory_mib: 81_920, vendor: 'nvidia' as const };
  const resources = {
    cpus: 26,
    memory_mib: 196_608,
    gpus: [gpu],
    spot: true,
    disk: { size_mib: 524_288 },
    cpu_arch: 'x86' as const,
    description: '',
  };
  const text = 'cpu=x86:26 mem=192GB disk=512GB gpu=H100:80GB:1';
  expect(instanceResources(resources)).toBe(text);
  expect(instanceResources(resources, { spot: true })).toBe(`${text} (spot)`);
  const bare = { ...resources, cpus: 0, gpus: [], disk: { size_mib: 0 } };
  expect(instanceResources(bare)).toBe('mem=192GB');
});

type Spec = Parameters<typeof requestedResources>[0];
const gpu = (fields: object): Spec['gpu'] =>
  ({
    vendor: null,
    name: null,
    count: { min: 0, max: null },
    memory: null,
    total_memory: null,
    compute_capability: null,
    ...fields,
  }) as Spec['gpu'];

test('requested resources', () => {
  const spec = {
    cpu: { arch: null, count: { min: 2, max: null } },
    memory: { min: 8, max: null },
    shm_size: null,
    gpu: gpu({ name: ['H100'], memory: { min: 80, max: 80 }, count: { min: 1, max: 1 } }),
    disk: { size: { min: 100, max: null } },
  } as Spec;
  expect(requestedResources(spec)).toBe('cpu=2.. mem=8GB.. disk=100GB.. gpu=H100:80GB:1');
  expect(requestedResources({ ...spec, gpu: gpu({}) })).toBe('cpu=2.. mem=8GB.. disk=100GB..');
});

test.each([
  [gpu({}), null],
  [gpu({ count: { min: 0, max: 0 } }), null],
  [gpu({ name: ['A100', 'H100'], count: { min: 1, max: null } }), 'A100,H100:1..'],
  [gpu({ vendor: 'amd', count: { min: 2, max: 2 } }), 'amd:2'],
  [gpu({ memory: { min: 24, max: null }, count: { min: 1, max: null } }), '24GB..:1..'],
])('the request %j reads %s', (value, text) => {
  expect(requestedGpu(value)).toBe(text);
});

test.each([
  ['90', '2026-11-24T11:58:30.000Z'],
  ['15m', '2026-11-24T11:45:00.000Z'],
  ['1d', '2026-11-23T12:00:00.000Z'],
  ['2026-11-24T13:00:00+02:00', '2026-11-24T11:00:00.000Z'],
])('--since %s is %s', (value, expected) => {
  expect(parseSince(value, NOW)).toBe(expected);
});

test.each(['yesterday', '2026-11-24T13:00:00', '1.5h', '', `${10 ** 9}w`])(
  '--since "%s" is refused',
  (value) => {
    expect(() => parseSince(value, NOW)).toThrow(`Cannot read --since "${value}"`);
  },
);

test('another bound is refused by its own name', () => {
  expect(() => parseSince('tomorrow', NOW, '--until')).toThrow('Cannot read --until "tomorrow"');
});
