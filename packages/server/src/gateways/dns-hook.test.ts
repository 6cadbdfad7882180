import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Outgoing } from '../outgoing/outgoing.ts';
import { hostsOfSettings, OutgoingRules } from '../outgoing/outgoing-rules.ts';
import { type DnsChange, type DnsHook, dnsHookRunner } from './dns-hook.ts';

const change: DnsChange = { action: 'add', name: '_acme-challenge.apps.test', value: 'a; rm b' };

async function runDnsHook(hook: DnsHook, given: DnsChange, limitMs?: number): Promise<void> {
  const own = hostsOfSettings(hook.kind === 'webhook' ? hook.url : null);
  const outgoing = new Outgoing(new OutgoingRules(own));
  try {
    await dnsHookRunner(hook, outgoing, limitMs)(given);
  } finally {
    await outgoing.close();
  }
}

function script(lines: string): { program: string; seen: string } {
  const dir = mkdtempSync(join(tmpdir(), 'hook-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const [program, seen] = [join(dir, 'hook'), join(dir, 'seen')];
  writeFileSync(program, `#!/bin/sh\nseen=${seen}\n${lines}\n`);
  chmodSync(program, 0o755);
  return { program, seen };
}

/** A process stays as a zombie if its parent does not wait for it. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the hook for DNS records', () => {
  it('is a program that gets its arguments unchanged, and no secrets of the server', async () => {
    vi.stubEnv('DSTACK_SERVER_ADMIN_TOKEN', 'secret');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { program, seen } = script('printf "%s|" "$@" > $seen; env >> $seen');
    await runDnsHook({ kind: 'command', argv: [program, '--zone', 'a b'] }, change);
    const found = readFileSync(seen, 'utf8');
    expect(found).toContain('--zone|a b|add|_acme-challenge.apps.test|a; rm b|');
    expect(found).not.toContain('secret');
  });

  it.each([
    ['throw new Error("no such zone")', 'Error: no such zone'],
    ['require("fs").readFileSync("/no/zone")', /Error: ENOENT: .*\/no\/zone/],
    ['throw "no such zone"', /exit code 1: no such zone$/],
    ['console.error("no such zone"); process.exitCode = 1', 'no such zone'],
  ])(
    'in Node.js fails with its error, not with the version of Node.js: %s',
    async (code, error) => {
      const argv = [process.execPath, '-e', code, '--'] as const;
      const failed = runDnsHook({ kind: 'command', argv }, change);
      await expect(failed).rejects.toThrow(error);
      await expect(failed).rejects.not.toThrow(/Node\.js v/);
    },
  );

  it('fails with its exit code and the last line of its errors', async () => {
    const { program } = script('echo first >&2; echo "no such zone" >&2; exit 7');
    await expect(runDnsHook({ kind: 'command', argv: [program] }, change)).rejects.toThrow(
      /hook add _acme-challenge\.apps\.test: exit code 7: no such zone$/,
    );
    await expect(runDnsHook({ kind: 'command', argv: ['/no/such'] }, change)).rejects.toThrow(
      /ENOENT/,
    );
  });

  it('may print anything, of which an error has the last line without control characters', async () => {
    const rubbish =
      'head -c 300000 /dev/urandom; printf "\\n\\033[31mfirst\\rzone is full\\033[0m\\n \\n"';
    const { program } = script(`(${rubbish}) >&2; exit 0`);
    await runDnsHook({ kind: 'command', argv: [program] }, change);
    const failing = script(`(${rubbish}); exit 4`);
    await expect(runDnsHook({ kind: 'command', argv: [failing.program] }, change)).rejects.toThrow(
      /: exit code 4: zone is full$/,
    );
  });

  it('ends with all that it has started if it takes too long', async () => {
    const { program, seen } = script('echo waiting; sleep 1000 & echo $! > $seen; wait');
    await expect(runDnsHook({ kind: 'command', argv: [program] }, change, 500)).rejects.toThrow(
      /: it has not ended within 0\.5 s: waiting$/,
    );
    const pid = Number(readFileSync(seen, 'utf8'));
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false));
  });

  it('is done when it has ended, also if something that it has left goes on', async () => {
    const { program, seen } = script('sleep 1000 & echo $! > $seen');
    onTestFinished(() => void process.kill(Number(readFileSync(seen, 'utf8'))));
    await runDnsHook({ kind: 'command', argv: [program] }, change);
  });

  it('is a webhook that gets the change as JSON, and its own token only', async () => {
    const seen: unknown[] = [];
    const server = createServer(async (request, response) => {
      seen.push([request.headers.authorization, JSON.parse(await text(request))]);
      const isSecond = seen.length === 2;
      response.writeHead(isSecond ? 302 : seen.length === 3 ? 403 : 204, {
        location: 'http://127.0.0.1:1/',
      });
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const hook = { kind: 'webhook', url, token: 'own' } as const;
    await runDnsHook(hook, change);
    expect(seen).toEqual([['Bearer own', change]]);
    await expect(runDnsHook(hook, change)).rejects.toThrow(/the webhook answers 302/);
    await expect(runDnsHook(hook, change)).rejects.toThrow(/apps\.test: the webhook answers 403/);
  });
});
