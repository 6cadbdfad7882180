/** Claims on the tag of a server, as files of the login user: the cluster's file system writes their time. */
import type { Claim } from '@dstack/core';
import type { Claims } from '../base/port.ts';
import { CLAIMS } from './folders.ts';
import type { LoginNode } from './login.ts';

interface Claimed {
  readonly login: Pick<LoginNode, 'script' | 'checked'>;
}

const MICROS = 1_000_000;
/** Ids of ours, which the scripts contain as they are. */
const ID = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;
const SECONDS = /^\d{1,12}$/;

/** A claim is kept in every cluster: one that does not answer leaves the others without a sweep. */
export function fileClaims(clusters: readonly Claimed[]): Claims {
  return {
    read: async ({ server }) =>
      (await Promise.all(clusters.map((cluster) => claimsIn(cluster, server)))).flat(),
    renew: async ({ server }, claim) => {
      await Promise.all(clusters.map((cluster) => renewIn(cluster, server, claim)));
    },
  };
}

async function claimsIn({ login }: Claimed, server: string): Promise<Claim[]> {
  const script = [
    'set -eu',
    `for file in ${CLAIMS}/${idOf(server)}/*; do`,
    '  if [ -f "$file" ]; then echo "${file##*/} $(cat "$file") $(date -r "$file" +%s)"; fi',
    'done',
  ].join('\n');
  const text = login.checked('date', await login.script(script)).trim();
  return text === '' ? [] : text.split('\n').map((line) => claimOf(line, server));
}

/** Throws: the server that wrote what cannot be read may have jobs here. */
function claimOf(line: string, server: string): Claim {
  const [claimant = '', nonce = '', seconds = '', ...more] = line.split(' ');
  if (![claimant, nonce].every((id) => ID.test(id)) || !SECONDS.test(seconds) || more.length > 0) {
    throw new Error(
      `a claim in ~/.dstack/claims/${server} cannot be read: ${JSON.stringify(line.slice(0, 200))}; delete its file if no server renews it`,
    );
  }
  return { claimant, nonce, renewedAt: Number(seconds) * MICROS };
}

/** By a file that takes the place of the one before: at no moment is there none. */
async function renewIn(
  { login }: Claimed,
  server: string,
  { claimant, nonce }: Omit<Claim, 'renewedAt'>,
): Promise<void> {
  const file = `${CLAIMS}/${idOf(server)}/${idOf(claimant)}`;
  const written = `${CLAIMS}/${idOf(server)}/.${idOf(claimant)}`;
  const script = [
    'set -eu; umask 077',
    `mkdir -p ${CLAIMS}/${idOf(server)}`,
    `echo ${idOf(nonce)} > ${written}`,
    `mv ${written} ${file}`,
  ].join('\n');
  login.checked('mv', await login.script(script));
}

function idOf(text: string): string {
  if (!ID.test(text)) throw new Error(`no id of dstack: ${text}`);
  return text;
}
