import { type RunRecord, SECOND } from '@dstack/core';
import { expect, it } from 'vitest';
import { ServerClock } from '../clock/server-clock.ts';
import type { Shortage } from '../process/open-files.ts';
import { compileSettings } from '../settings/settings.ts';
import { decisionContext } from './decision-context.ts';

const settings = compileSettings({ HOME: '/nowhere' });

function aRun(configuration: object): RunRecord {
  const base = { type: 'task', env: {}, ports: [], volumes: [], repos: [], commands: ['true'] };
  const resources = { cpu: { count: { min: 1, max: null } }, gpu: { count: { min: 0, max: 0 } } };
  return {
    name: 'train',
    spec: {
      run_name: 'train',
      configuration: { ...base, image: 'busybox', resources, ...configuration },
      file_archives: [],
      profile: null,
    },
  } as unknown as RunRecord;
}

const cipher = {
  encrypt: (text: string) => `sealed ${text}`,
  decrypt: (text: string) => text.replace('sealed ', ''),
};

const keysOf = (run: RunRecord) =>
  decisionContext(settings, cipher)()
    .buildJobs(run, 0, '0')
    .map((spec) => spec.ssh_key);

it('gives all nodes of a resubmitted replica one new key', () => {
  const [first, second] = keysOf(aRun({ nodes: 2 }));
  expect(first?.private).toMatch(/^sealed -----BEGIN OPENSSH PRIVATE KEY/);
  expect(first?.public).toMatch(/^ssh-ed25519 /);
  expect(second).toEqual(first);
  expect(keysOf(aRun({ nodes: 2 }))[0]).not.toEqual(first);
});

it('gives no key to a single job', () => {
  expect(keysOf(aRun({ nodes: 1 }))).toEqual([null]);
});

it('counts the time in which the server is out of files as none in which a host could answer', () => {
  let millis = 1_000_000;
  const clock = new ServerClock({ wall: () => millis, monotonic: () => millis });
  const files: { shortages: Shortage[] } = { shortages: [] };
  const context = decisionContext(settings, cipher, { clock, files });
  const { now: start, steadySince } = context();
  expect(context().unobserved).toEqual([]);
  files.shortages = [{ from: 5000, until: 0 }];
  millis += 5000;
  const times = { from: start, until: start + 5_000_000 };
  expect(context()).toMatchObject({ unobserved: [times], steadySince });
  files.shortages = [{ from: 8000, until: 3000 }];
  millis += 3000;
  expect(context().unobserved).toEqual([times]);
});

it('counts a jump of the time beside a shortage of files', () => {
  let millis = 1_000_000;
  const clock = new ServerClock({ wall: () => millis, monotonic: () => millis });
  const files = { shortages: [{ from: 30_000, until: 25_000 }] };
  const context = decisionContext(settings, cipher, { clock, files });
  const { now: start } = context();
  millis += 20_000;
  expect(context().unobserved).toEqual([
    { from: start - 10_000_000, until: start - 5_000_000 },
    { from: start, until: start + 20_000_000 },
  ]);
});

it('counts a shortage of files only since another server was last seen to work', () => {
  let millis = 1_000_000;
  const clock = new ServerClock({ wall: () => millis, monotonic: () => millis });
  const files: { shortages: Shortage[] } = { shortages: [] };
  const context = decisionContext(settings, cipher, { clock, files });
  const { now: start } = context();
  for (let n = 0; n < 720; n++) {
    millis += 5000;
    context();
  }
  const seen = context().now - 60 * SECOND;
  clock.othersServed(seen);
  files.shortages = [
    { from: 3_600_000, until: 1_800_000 },
    { from: 1_200_000, until: 0 },
  ];
  expect(context()).toMatchObject({
    now: start + 3600 * SECOND,
    unobserved: [{ from: seen, until: start + 3600 * SECOND }],
  });
});
