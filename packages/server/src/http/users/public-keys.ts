/** Public keys that users register in addition to the pair from the server. */
import { type AddPublicKeyRequest, alreadyExists, ruleError } from '@dstack/contract/api';
import { formatTimestamp, type PublicKeyInfo } from '@dstack/contract/wire';
import { recordEvent, userTarget } from '@dstack/core';
import type { PublicKeyRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';
import { parseKeyLine } from '../public-key.ts';

/** All of them go to every job of the user. */
const MOST_KEYS = 100;

/** Characters of a line; an RSA key of 16384 bits has 3000. */
const LONGEST_KEY = 8192;

export async function listPublicKeys(deps: HttpDeps, user: UserRecord): Promise<PublicKeyInfo[]> {
  return (await deps.store.users.publicKeys(user.id)).map(wirePublicKey);
}

export async function addPublicKey(
  deps: HttpDeps,
  user: UserRecord,
  request: AddPublicKeyRequest,
): Promise<PublicKeyInfo> {
  const parsed = request.key.length > LONGEST_KEY ? 'invalid' : parseKeyLine(request.key);
  if (parsed === 'invalid') {
    throw ruleError('Invalid public key, must be in OpenSSH public key format');
  }
  if ('unsupported' in parsed) throw ruleError(`Unsupported key type: ${parsed.unsupported}`);
  const { now, newId } = deps.context();
  if ((await deps.store.users.publicKeys(user.id)).length >= MOST_KEYS) {
    throw ruleError(`A user may have ${MOST_KEYS} public keys: delete one that is no longer used`);
  }
  const key: PublicKeyRecord = {
    id: newId(),
    userId: user.id,
    name: request.name ?? parsed.comment ?? parsed.md5,
    type: parsed.type,
    fingerprint: parsed.fingerprint,
    key: request.key.trim(),
    addedAt: now,
  };
  const event = recordEvent({
    action: 'user.public_key_added',
    data: { fingerprint: key.fingerprint },
    ...{ targets: [userTarget(user)], actor: actorOf(user) },
  });
  const created = await deps.store.users.addPublicKey(key, { events: [event] });
  if (created === 'name-taken') throw alreadyExists('Public key exists');
  return wirePublicKey(key);
}

/** Unknown ids are ignored. */
export async function deletePublicKeys(
  deps: HttpDeps,
  user: UserRecord,
  ids: readonly string[],
): Promise<void> {
  await deps.store.users.deletePublicKeys(user.id, ids, (deleted) => ({
    events: deleted.map(({ fingerprint }) =>
      recordEvent({
        action: 'user.public_key_deleted',
        data: { fingerprint },
        ...{ targets: [userTarget(user)], actor: actorOf(user) },
      }),
    ),
  }));
}

function wirePublicKey(key: PublicKeyRecord): PublicKeyInfo {
  return {
    id: key.id,
    added_at: formatTimestamp(key.addedAt),
    name: key.name,
    type: key.type,
    fingerprint: key.fingerprint,
  };
}
