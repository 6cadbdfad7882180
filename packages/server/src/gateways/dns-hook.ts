/** Sets TXT records for certificates of gateways, by what an admin has given to the server. */
import { execFile } from 'node:child_process';
import { errorMessage } from '@dstack/contract/error-message';
import type { Outgoing } from '../outgoing/outgoing.ts';

export type DnsHook =
  /** A program and its first arguments; it gets action, name and value as further ones. */
  | { readonly kind: 'command'; readonly argv: readonly [string, ...string[]] }
  | { readonly kind: 'webhook'; readonly url: string; readonly token: string | null };

export interface DnsChange {
  readonly action: 'add' | 'remove';
  /** `_acme-challenge.` and a host name. */
  readonly name: string;
  readonly value: string;
}

const LIMIT_MS = 60_000;
const MAX_OUTPUT = 64 * 1024;
const MAX_TEXT = 300;

export type SetDnsRecord = (change: DnsChange) => Promise<void>;

/** The result rejects with the cause for people. */
export function dnsHookRunner(hook: DnsHook, outgoing: Pick<Outgoing, 'send'>): SetDnsRecord {
  return hook.kind === 'command'
    ? (change) => runCommand(hook.argv, change)
    : (change) => callWebhook(hook, outgoing, change);
}

/** Without a shell, and without the secrets of the server. */
function runCommand(
  [program, ...first]: readonly [string, ...string[]],
  { action, name, value }: DnsChange,
): Promise<void> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !key.startsWith('DSTACK_')),
  );
  const options = { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT, env } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...first, action, name, value],
      options,
      (error, _, stderr) => {
        if (error === null) resolve();
        else reject(new Error(`${program} ${action} ${name}: ${causeOf(error, stderr)}`));
      },
    );
    child.stdin?.end();
  });
}

function causeOf(error: Error & { killed?: boolean; code?: unknown }, stderr: string): string {
  if (error.killed) return `it has not ended within ${LIMIT_MS / 1000} s`;
  const last = stderr.trim().split('\n').at(-1)?.slice(0, MAX_TEXT);
  if (typeof error.code === 'number') return `exit code ${error.code}${last ? `: ${last}` : ''}`;
  return last || error.message.slice(0, MAX_TEXT);
}

async function callWebhook(
  { url, token }: Extract<DnsHook, { kind: 'webhook' }>,
  outgoing: Pick<Outgoing, 'send'>,
  change: DnsChange,
): Promise<void> {
  const failed = (cause: string) => new Error(`DSTACK_ACME_DNS_HOOK ${change.name}: ${cause}`);
  const { status } = await outgoing
    .send(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(change),
      maxBytes: MAX_OUTPUT,
    })
    .catch((error) => {
      throw failed(errorMessage(error));
    });
  // A redirect is not followed: it would receive the token.
  if (status < 200 || status >= 300) throw failed(`the webhook answers ${status}`);
}
