import type { RunRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import { ServerClock } from '../clock/server-clock.ts';
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

it('starts the deadlines of hosts anew while the server is out of files, until it has recovered', () => {
  let millis = 1_000_000;
  const clock = new ServerClock({ wall: () => millis, monotonic: () => millis });
  const files: { msSinceShort: number | null } = { msSinceShort: null };
  const context = decisionContext(settings, cipher, { clock, files });
  const { now: start, steadySince } = context();
  expect(context().jumpedAt).toBeNull();
  files.msSinceShort = 0;
  millis += 5000;
  expect(context().jumpedAt).toBe(start + 5_000_000);
  millis += 5000;
  expect(context()).toMatchObject({ jumpedAt: start + 10_000_000, steadySince });
  files.msSinceShort = 3000;
  millis += 3000;
  expect(context().jumpedAt).toBe(start + 10_000_000);
});

it('counts from a jump of the time that came after a shortage of files', () => {
  let millis = 1_000_000;
  const clock = new ServerClock({ wall: () => millis, monotonic: () => millis });
  const context = decisionContext(settings, cipher, { clock, files: { msSinceShort: 30_000 } });
  context();
  millis += 20_000;
  const { now, jumpedAt } = context();
  expect(jumpedAt).toBe(now);
});
