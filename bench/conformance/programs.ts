/** Suites that were written elsewhere, run as programs. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conformancePrograms } from '@dstack/testkit/conformance';
import { pythonEnvironment } from '@dstack/testkit/python-environment';
import type { Way } from './bed.ts';

/** The result of each case, by its name. */
export type Results = ReadonlyMap<string, string>;

export const PASSED = 'passed';

const HOUR_MS = 3_600_000;

/** Resolves with the exit code; 124 after the time is over. */
function run(command: readonly string[], limitMs: number): Promise<number> {
  const [file = '', ...args] = command;
  return new Promise((resolve) => {
    execFile(file, args, { timeout: limitMs, killSignal: 'SIGKILL' }, (error) => {
      resolve(error === null ? 0 : typeof error.code === 'number' ? error.code : 124);
    });
  });
}

/** A command for which names lead to this computer: it looks them up itself, and they are in no DNS. Needs root. */
function named(dir: string, host: string, command: readonly string[]): string[] {
  const hosts = join(dir, 'hosts');
  writeFileSync(hosts, `127.0.0.1 localhost ${host}\n`);
  const script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';
  return ['unshare', '-m', 'sh', '-c', script, 'sh', hosts, ...command];
}

async function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-suite-'));
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** h2spec through TLS, with its strict cases. Null: the way has no HTTP/2. */
export async function h2spec(way: Way): Promise<Results | null> {
  const { securePort } = way;
  if (securePort === null) return null;
  const programs = await conformancePrograms();
  return await inFolder(async (dir) => {
    const report = join(dir, 'report.xml');
    const { host, path } = way.at('web', true);
    const where = ['-h', host, '-p', String(securePort), '-P', path];
    const how = ['-t', '-k', '-S', '-o', '5', '-j', report];
    await run(named(dir, host, [join(programs, 'h2spec'), ...how, ...where]), HOUR_MS);
    return readJunit(readFileSync(report, 'utf8'));
  });
}

/** Names of cases are their section and their text. */
function readJunit(text: string): Results {
  const results = new Map<string, string>();
  for (const part of text.split('<testcase').slice(1)) {
    const [, section = ''] = /package="([^"]*)"/.exec(part) ?? [];
    const [, title = ''] = /classname="([^"]*)"/.exec(part) ?? [];
    const isFailed = /<(failure|error)/.test(part);
    const kind = isFailed ? 'failed' : part.includes('<skipped') ? 'skipped' : PASSED;
    results.set(`${section} ${title}`, kind);
  }
  return results;
}

/** Those of the interoperability suite of gRPC that need no account of a cloud. */
const CALLS = [
  ...['empty_unary', 'large_unary', 'client_streaming', 'server_streaming', 'ping_pong'],
  ...['empty_stream', 'timeout_on_sleeping_server', 'cancel_after_begin'],
  ...['cancel_after_first_response', 'status_code_and_message', 'special_status_message'],
  ...['custom_metadata', 'unimplemented_method', 'unimplemented_service', 'pick_first_unary'],
  ...['rpc_soak', 'channel_soak', 'orca_per_rpc', 'orca_oob'],
];

/** Null: the way takes no gRPC. */
export async function calls({ securePort, ca, at }: Way): Promise<Results | null> {
  if (securePort === null) return null;
  const client = join(await conformancePrograms(), 'grpc-client');
  const { host } = at('calls', true);
  const tls = ['--use_tls', '--use_test_ca', '--ca_file', ca, '--server_host_override', host];
  const where = ['--server_host', '127.0.0.1', '--server_port', String(securePort), ...tls];
  const results = new Map<string, string>();
  for (const name of CALLS) {
    const code = await run([client, ...where, '--test_case', name], 60_000);
    results.set(name, code === 0 ? PASSED : `failed (${code})`);
  }
  return results;
}

/** The cases of Autobahn, which exist for Python 2 alone, by a runner that reads them. */
const AUTOBAHN = 'kosoku==0.1.0';

/** `url`: of the WebSocket, with a name that leads to this computer. */
export async function webSockets(url: URL): Promise<Results> {
  const { path, missing } = pythonEnvironment(AUTOBAHN, 'autobahn');
  if (missing !== null) throw new Error(missing);
  return await inFolder(async (dir) => {
    const out = join(dir, 'out');
    const kosoku = [join(path, 'bin', 'kosoku'), url.href, '-p', '4', '-o', out];
    await run(named(dir, url.hostname, kosoku), HOUR_MS);
    const index = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as Readonly<
      Record<string, Readonly<Record<string, { behavior: string; behaviorClose: string }>>>
    >;
    const cases = Object.values(index).flatMap((agent) => Object.entries(agent));
    return new Map(
      cases.map(([name, { behavior, behaviorClose }]) => [name, verdict(behavior, behaviorClose)]),
    );
  });
}

const GOOD = ['OK', 'INFORMATIONAL'];

const verdict = (behavior: string, close: string): string =>
  GOOD.includes(behavior) && GOOD.includes(close) ? PASSED : `${behavior}, close ${close}`;
