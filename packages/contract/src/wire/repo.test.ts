import { describe, expect, it } from 'vitest';
import { parseConfiguration } from '../configuration/parse-configuration.ts';
import { FileArchiveMapping } from './file.ts';
import { RemoteRepoCreds, RunRepoData } from './repo.ts';

const GIT = {
  repo_type: 'remote',
  repo_name: 'train',
  repo_branch: 'main',
  repo_hash: '0123456789abcdef0123456789abcdef01234567',
  repo_config_name: 'Ann',
  repo_config_email: 'ann@example.com',
};

function placesOfErrors(more: object): string[] {
  const result = RunRepoData.safeParse({ ...GIT, ...more });
  return result.error?.issues.map(({ path }) => path.slice(-1).join()) ?? [];
}

describe('the state of a repository in a request', () => {
  it('is accepted as official clients send it', () => {
    expect(RunRepoData.parse({ ...GIT, repo_diff: null })).toEqual(GIT);
    const empty = { repo_branch: null, repo_hash: null };
    expect(RunRepoData.parse({ ...GIT, ...empty })).toEqual({ ...GIT, ...empty });
  });

  it.each([
    ['repo_hash', '--upload-pack=touch /tmp/owned'],
    ['repo_hash', 'HEAD'],
    ['repo_branch', '--upload-pack=touch /tmp/owned'],
    ['repo_config_name', 'Ann\n[core]\nfsmonitor=true'],
    ['repo_config_email', 'x\u0000'],
    ['repo_name', '\u001b]0;x'],
  ])('is refused if its %s is %j', (key, value) => {
    expect(placesOfErrors({ [key]: value })).toEqual([key]);
  });

  it.each(['/root/secret', 'file:///root/secret', 'ext::sh -c id', '--upload-pack=id'])(
    'is refused if it is cloned from %s',
    (clone_url) => expect(RemoteRepoCreds.safeParse({ clone_url }).success).toBe(false),
  );
});

describe('a repository in a configuration', () => {
  it.each([
    ['hash', '--upload-pack=id'],
    ['branch', '--upload-pack=id'],
    ['branch', 'a..b'],
    ['path', '"a\\nb"'],
    ['url', 'file:///root/secret'],
  ])('is refused at its %s if that is %s', (key, value) => {
    const repo = { url: 'https://host/x', branch: 'main', hash: 'abc123', path: 'x', [key]: value };
    const lines = Object.entries(repo).map(([name, text]) => `${name}: ${text}`);
    const text = `type: task\ncommands: [x]\nrepos:\n  - ${lines.join('\n    ')}\n`;
    const parsed = parseConfiguration(text, 'configuration');
    expect(!parsed.ok && parsed.errors.map((error) => error.path)).toEqual([`repos.0.${key}`]);
  });
});

it('the path of an upload is one line', () => {
  const id = '11111111-2222-4333-8444-555555555555';
  expect(FileArchiveMapping.safeParse({ id, path: '/opt/a b' }).success).toBe(true);
  for (const path of ['a\nb', 'a\u0000b', 'x'.repeat(4097)]) {
    expect(FileArchiveMapping.safeParse({ id, path }).success).toBe(false);
  }
});
