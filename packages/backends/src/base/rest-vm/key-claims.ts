/**
 * Claims on the tag of a server, kept as SSH keys of an account, which cost nothing and lie beside no machine. A
 * claim is the comment of a key; the key itself lets no user in, because its private half is kept nowhere. All
 * servers with credentials of the account can read it.
 */
import { generateKeyPairSync } from 'node:crypto';
import { CLAIM_LIFETIME, type Claim } from '@dstack/core';
import { BackendError } from '../errors.ts';
import type { Claims } from '../port.ts';
import { MissingThingError } from './refusals.ts';

export interface KeysOfAccount {
  /** Name of the provider, for messages. */
  readonly title: string;
  /** The kind of thing that holds a claim, for messages; omitted: an SSH key. */
  readonly what?: string;
  /** All of them. */
  readonly list: () => Promise<TimedKeys>;
  readonly add: (name: string, publicKey: string) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
}

export interface TimedKeys {
  readonly keys: readonly KeyOfAccount[];
  /** The provider's time when it was asked, in µs; null = it did not say. */
  readonly time: number | null;
}

export interface KeyOfAccount {
  readonly id: string;
  readonly name: string;
  /** One line, with its comment. */
  readonly publicKey: string;
}

/** How the names of such keys begin. What cannot have names like these has the comment as its name. */
const NAME = 'dstack-claim-';
const NAMES = /^dstack-claim[-_]/;
/** `dstack-claim:<server>:<claimant>:<nonce>:<seconds>`. */
const COMMENT =
  /^dstack-claim:([A-Za-z0-9-]{1,64}):([A-Za-z0-9-]{1,64}):([A-Za-z0-9-]{1,64}):(\d{1,12})$/;
const ID = /^[A-Za-z0-9-]{1,64}$/;
const SECOND_US = 1_000_000;

export function keyClaims(account: KeysOfAccount): Claims {
  return {
    read: async ({ server }) => {
      const { keys, time } = await listed(account);
      return claimsIn(account, keys)
        .filter((one) => one.server === server)
        .map(({ claimant, nonce, renewedAt }) => ({
          ...{ claimant, nonce, renewedAt, age: time - renewedAt },
        }));
    },
    renew: async ({ server }, claim) => {
      const { keys, time } = await listed(account);
      const before = claimsIn(account, keys).filter((one) => one.server === server);
      const replaced = before
        .filter((one) => one.claimant === claim.claimant || time - one.renewedAt > CLAIM_LIFETIME)
        .toSorted((one, other) => other.renewedAt - one.renewedAt);
      // More than one is left only where the removal has failed: without the right to it they must not add up.
      for (const one of replaced.slice(1)) await removed(account, one.id);
      // A new one first: at no moment is there none.
      const name = `${NAME}${claim.nonce.replaceAll('-', '').slice(0, 20)}`;
      await account.add(name, `${lostKey()} ${commentOf(server, claim, time)}`);
      for (const one of replaced.slice(0, 1)) await removed(account, one.id);
    },
  };
}

export interface KeysApi {
  readonly timedKeys: () => Promise<TimedKeys>;
  readonly addKey: (name: string, publicKey: string) => Promise<unknown>;
  readonly removeKey: (id: string) => Promise<void>;
}

/** Claims as keys of an account, by an API that has these calls. */
export function claimsByApi(title: string, api: KeysApi): Claims {
  return keyClaims({
    title,
    list: () => api.timedKeys(),
    add: async (name, publicKey) => void (await api.addKey(name, publicKey)),
    remove: (id) => api.removeKey(id),
  });
}

interface KeptClaim extends Claim {
  readonly id: string;
  readonly server: string;
}

/** No other clock than the provider's may decide whether a claim has expired. */
async function listed({ title, list }: KeysOfAccount) {
  const { keys, time } = await list();
  if (time === null) throw new BackendError(`${title} does not report its time`);
  return { keys, time };
}

function claimsIn(
  { title, what = 'SSH key' }: KeysOfAccount,
  keys: readonly KeyOfAccount[],
): readonly KeptClaim[] {
  return keys
    .filter(({ name }) => NAMES.test(name))
    .map(({ id, name, publicKey }) => {
      const comment = publicKey.trim().split(/\s+/)[2] ?? '';
      const [, server, claimant, nonce, seconds] = COMMENT.exec(comment) ?? [];
      if (server && claimant && nonce && seconds) {
        return { id, server, claimant, nonce, renewedAt: Number(seconds) * SECOND_US };
      }
      // The server that wrote it may have machines here.
      throw new BackendError(
        `${title}: the claim in the ${what} ${name} cannot be read; delete it if no server uses the account`,
      );
    });
}

function commentOf(server: string, { claimant, nonce }: Omit<Claim, 'renewedAt'>, time: number) {
  const ids = [server, claimant, nonce];
  if (!ids.every((id) => ID.test(id))) throw new Error(`no ids of dstack: ${ids.join(' ')}`);
  return ['dstack-claim', ...ids, Math.floor(time / SECOND_US)].join(':');
}

/** A public key whose private half is dropped at once. */
function lostKey(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const parts = [Buffer.from('ssh-ed25519'), point].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return `ssh-ed25519 ${Buffer.concat(parts).toString('base64')}`;
}

/** Another server may have removed it. */
async function removed({ remove }: KeysOfAccount, id: string): Promise<void> {
  await remove(id).catch((error: unknown) => {
    if (!(error instanceof MissingThingError)) throw error;
  });
}
