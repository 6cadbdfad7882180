import type { RunRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import { decisionContext } from './decision-context.ts';
import { compileSettings } from './settings.ts';

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
