import { Resolver } from 'node:dns/promises';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AcmeChallenge } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import type { TlsChallenges } from './tls-challenges.ts';

/** A proof that an authority has requested. */
export interface Proof {
  /** The name, without `*.`. */
  readonly name: string;
  readonly token: string;
  /** The key authorization for http-01 and tls-alpn-01, its digest for dns-01. */
  readonly content: string;
}

/** Shows proofs to an authority, in one way. */
export interface Challenges {
  readonly type: AcmeChallenge;
  show(proof: Proof): Promise<void>;
  hide(proof: Proof): Promise<void>;
}

/** Files that nginx serves from `dir`. */
export function fileChallenges(dir: string): Challenges {
  const path = (token: string) => {
    if (!/^[A-Za-z0-9_-]{1,128}$/.test(token)) throw new Error('the token is malformed');
    return join(dir, token);
  };
  return {
    type: 'http-01',
    show: async ({ token, content }) => {
      writeFileSync(path(token), content);
      // The mask of this process may keep nginx's own user out, who would then refuse what it finds.
      chmodSync(path(token), 0o644);
    },
    hide: async ({ token }) => rmSync(path(token), { force: true }),
  };
}

/** Certificates that a connection with the protocol `acme-tls/1` gets. */
export function tlsChallenges(server: TlsChallenges): Challenges {
  return {
    type: 'tls-alpn-01',
    show: ({ name, content }) => server.show(name, content),
    hide: async ({ name }) => server.hide(name),
  };
}

/** Sets or removes a TXT record; rejects with the cause. */
export type SetRecord = (action: 'add' | 'remove', name: string, value: string) => Promise<void>;

export interface DnsChallengesOptions {
  readonly setRecord: SetRecord;
  /** `host:port`; null = the name servers of the domain. */
  readonly dns: string | null;
  /** Milliseconds until DNS must show a record. */
  readonly waitMs: number;
}

/** TXT records; only these prove a wildcard. */
export function dnsChallenges({ setRecord, dns, waitMs }: DnsChallengesOptions): Challenges {
  const recordOf = (name: string) => `_acme-challenge.${name}`;
  return {
    type: 'dns-01',
    show: async ({ name, content }) => {
      await setRecord('add', recordOf(name), content);
      await untilShown(recordOf(name), content, { dns, waitMs });
    },
    hide: ({ name, content }) => setRecord('remove', recordOf(name), content),
  };
}

const POLL_MS = 500;

/** An authority that looks too early refuses, and counts that. */
async function untilShown(
  record: string,
  value: string,
  { dns, waitMs }: Pick<DnsChallengesOptions, 'dns' | 'waitMs'>,
): Promise<void> {
  const resolver = await nameServers(record, dns);
  let last = 'it has no such record';
  for (const end = Date.now() + waitMs; ; await delay(POLL_MS)) {
    try {
      const found = await resolver.resolveTxt(record);
      if (found.some((parts) => parts.join('') === value)) return;
    } catch (error) {
      last = errorMessage(error);
    }
    if (Date.now() >= end) break;
  }
  throw new Error(
    `DNS does not show the TXT record ${record} after ${waitMs / 1000} s (${last}): check what DSTACK_ACME_DNS_HOOK of the server did, or set DSTACK_GATEWAY_DNS to a server that has the public records`,
  );
}

/** Those of the zone, because others may remember that there was no record. */
async function nameServers(record: string, dns: string | null): Promise<Resolver> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (dns !== null) {
    resolver.setServers([dns]);
    return resolver;
  }
  const labels = record.split('.');
  for (let at = 1; at < labels.length - 1; at++) {
    const names = await resolver.resolveNs(labels.slice(at).join('.')).catch((): string[] => []);
    const found = await Promise.all(
      names.map((name) => resolver.resolve4(name).catch((): string[] => [])),
    );
    const addresses = found.flat();
    if (addresses.length > 0) {
      resolver.setServers(addresses);
      break;
    }
  }
  return resolver;
}
