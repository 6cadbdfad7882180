/** Sets TXT records for certificates of gateways, by what an admin has given to the server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { errorMessage } from '@dstack/contract/error-message';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Outgoing } from '../outgoing/outgoing.ts';
import { LastLine } from './last-line.ts';

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
const CLOSE_MS = 1000;
const MAX_TEXT = 300;

export type SetDnsRecord = (change: DnsChange) => Promise<void>;

/** The result rejects with the cause for people. `limitMs`: for a program. */
export function dnsHookRunner(
  hook: DnsHook,
  outgoing: Pick<Outgoing, 'send'>,
  limitMs = LIMIT_MS,
): SetDnsRecord {
  return hook.kind === 'command'
    ? (change) => runCommand(hook.argv, change, limitMs)
    : (change) => callWebhook(hook, outgoing, change);
}

/** Without a shell, and without the secrets of the server. */
function runCommand(
  [program, ...first]: readonly [string, ...string[]],
  { action, name, value }: DnsChange,
  limitMs: number,
): Promise<void> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !key.startsWith('DSTACK_')),
  );
  // A group of its own, so that what it has started ends with it.
  const child = spawn(program, [...first, action, name, value], {
    ...{ env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  const [errors, others] = [new LastLine(MAX_TEXT), new LastLine(MAX_TEXT)];
  child.stderr?.on('data', (bytes: Buffer) => errors.feed(bytes));
  child.stdout?.on('data', (bytes: Buffer) => others.feed(bytes));
  return new Promise((resolve, reject) => {
    const failed = (cause: string) => {
      const last = errors.finish() || others.finish();
      reject(new Error(`${program} ${action} ${name}: ${cause}${last ? `: ${last}` : ''}`));
    };
    const timer = setTimeout(() => {
      killGroup(child);
      failed(`it has not ended within ${limitMs / 1000} s`);
    }, limitMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      failed(error.message);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      void outputOf(child).then(() => {
        if (code === 0) resolve();
        else failed(code === null ? `${signal}` : `exit code ${code}`);
      });
    });
  });
}

/** Until all output has been read, but not for long: something that the program has left may hold it open. */
async function outputOf(child: ChildProcess): Promise<void> {
  await withTimeout(() => once(child, 'close'), { ms: CLOSE_MS, onTimeout: () => [] });
  child.stdout?.destroy();
  child.stderr?.destroy();
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
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
