import { expect, test } from 'vitest';
import { findHost } from '../ssh/user-config.ts';
import { httpUrl, parseRepoUrl, repoId, sshUrl } from './repo-id.ts';

test.each([
  ['https://github.com/acme/train.git', 'train-v5lpl3cc'],
  ['https://GitHub.com/acme/train/', 'train-v5lpl3cc'],
  ['git@github.com:acme/train.git', 'train-v5lpl3cc'],
  ['ssh://git@github.com:22/acme/train', 'train-v5lpl3cc'],
  ['git@gitlab.example.com:ml/team/repo.git', 'repo-d5emb2l7'],
])('%s has the id of the official client', (url, id) => {
  const repo = parseRepoUrl(url);
  if (repo === null) throw new Error('not understood');
  expect(repoId(repo)).toBe(id);
});

test.each(['.', '/home/me/code', 'C:\\code', 'not a url', ''])('"%s" is not a URL', (text) => {
  expect(parseRepoUrl(text)).toBeNull();
});

test.each([
  ['git@h:a/b.git', 'https://h/a/b.git', 'ssh://git@h/a/b.git'],
  ['https://h:443/a/b', 'https://h/a/b', 'ssh://git@h/a/b'],
  ['https://h:8443/a/b', 'https://h:8443/a/b', 'ssh://git@h/a/b'],
  ['http://h:8080/a/b', 'http://h:8080/a/b', 'ssh://git@h/a/b'],
  ['http://h:80/a/b.git', 'http://h/a/b.git', 'ssh://git@h/a/b.git'],
  ['ssh://me@h:2222/a/b', 'https://h/a/b', 'ssh://me@h:2222/a/b'],
])('clone URLs of %s', (url, web, ssh) => {
  const repo = parseRepoUrl(url);
  if (repo === null) throw new Error('not understood');
  expect([httpUrl(repo), sshUrl(repo)]).toEqual([web, ssh]);
});

const SSH_CONFIG = `
Host work !bad*
  HostName git.example.com
  IdentityFile ~/.ssh/work
Host *.lab
  HostName %h.internal
Host *
  IdentityFile ~/.ssh/any
`;

test.each([
  ['work', { hostName: 'git.example.com', identityFile: '/h/.ssh/work', port: null }],
  ['a.lab', { hostName: 'a.lab.internal', identityFile: '/h/.ssh/any', port: null }],
  ['other', { hostName: null, identityFile: '/h/.ssh/any', port: null }],
])('the SSH configuration of %s', (host, expected) => {
  expect(findHost(SSH_CONFIG, host, '/h')).toEqual(expected);
});

test.each(['https://', 'https://[x', 'ssh://host:port/x', '/srv/repo'])(
  '%s is not a URL',
  (text) => {
    expect(parseRepoUrl(text)).toBeNull();
  },
);
