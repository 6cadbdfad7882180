import { FORWARDS_ONLY } from '@dstack/contract/agent';
import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { AuthorizedKeys } from './authorized-keys.ts';

const newKey = () => ssh2.utils.generateKeyPairSync('ed25519').public;

function blobOf(line: string): Buffer {
  const key = ssh2.utils.parseKey(line);
  if (key instanceof Error) throw key;
  return key.getPublicSSH();
}

it('a key for forwards alone opens no session, unless it is also a key of a user', () => {
  const [user, gateway, both] = [newKey(), newKey(), newKey()];
  const lines = [`${FORWARDS_ONLY}${gateway}`, user, `${FORWARDS_ONLY}${both}`, both];
  const unusable: string[] = [];
  const keys = new AuthorizedKeys({ user: lines, project: [], job: [] }, (_, reason) =>
    unusable.push(reason),
  );
  const owners = [user, gateway, both].map((line) => keys.find(blobOf(line))?.owner);
  expect(owners).toEqual(['user', 'project', 'user']);
  expect(unusable).toEqual([]);
});

it('other options make a key unusable', () => {
  const key = newKey();
  const user = [`command="reboot" ${key}`, `port-forwarding ${key}`];
  const unusable: string[] = [];
  const keys = new AuthorizedKeys({ user, project: [], job: [] }, (owner) => unusable.push(owner));
  expect(keys.find(blobOf(key))).toBeNull();
  expect(unusable).toEqual(['user', 'user']);
});
