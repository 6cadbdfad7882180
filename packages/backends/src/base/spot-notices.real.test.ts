/** The agent's watch for notices on a machine of the yard, at the address that real machines have. */
import { execFile, execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { NoticeSource } from '@dstack/contract/agent';
import { startYard, type VmHostOrder, type Yard, yardMissing } from '@dstack/testkit/cloud';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EC2_SPOT_NOTICE, GCE_PREEMPTION_NOTICE } from './spot-notices.ts';

const run = promisify(execFile);
const missing = yardMissing();
if (missing && process.env.CI) throw new Error(`Notices are not tested: ${missing} is missing`);
if (missing) console.warn(`Notices are NOT tested: ${missing} is missing`);

const WATCH = resolve(import.meta.dirname, '../../../agent/src/host/notices/metadata-watch.ts');
type MetadataSource = NonNullable<VmHostOrder['metadata']>;

const NOTHING = { status: 404, body: 'not found' };

/** Prints the first notice that the agent finds; with all that it imports, since the machine has a `/tmp` of its own. */
const script = (watch: string, source: NoticeSource) => `
  ${watch}
  const done = setInterval(() => {}, 1000);
  const log = { info: () => {}, error: () => {} };
  const onNotice = (frame) => { console.log(JSON.stringify(frame)); clearInterval(done); };
  new MetadataWatch({ log, onNotice }).watch({ sources: [${JSON.stringify(source)}] });
`;

describe.skipIf(missing !== null)('a machine whose provider takes it back', () => {
  let yard: Yard;
  let dir: string;
  let watch: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'notice-keys-'));
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'key')]);
    const bundle = { bundle: true, write: false, format: 'esm', platform: 'node' } as const;
    const { outputFiles } = await build({ ...bundle, entryPoints: [WATCH] });
    // Its exports have no reader in the script.
    watch = outputFiles[0]?.text.replace(/^export \{[^}]*\};$/m, '') ?? '';
    yard = await startYard();
  });
  afterAll(async () => {
    await yard?.close();
    if (dir) rmSync(dir, { recursive: true });
  });

  /** Answers nothing to the first question, so that it has to be asked again. */
  async function noticeOn(id: string, source: NoticeSource, metadata: MetadataSource) {
    let questions = 0;
    const address = await yard.boot({
      ...{ id, name: id, loginUser: 'root', userData: null, hasSshd: true, reusesAddress: false },
      authorizedKeys: [readFileSync(join(dir, 'key.pub'), 'utf8').trim()],
      metadata: (request) =>
        request.method === 'GET' && ++questions === 1 ? NOTHING : metadata(request),
    });
    const login = [
      ...['-i', join(dir, 'key'), '-o', 'StrictHostKeyChecking=no', '-o', 'LogLevel=ERROR'],
      ...['-o', `UserKnownHostsFile=${join(dir, 'known')}`, `root@${address}`],
    ];
    const node = openSync(process.execPath, 'r');
    execFileSync('ssh', [...login, 'cat > /tmp/node && chmod +x /tmp/node'], {
      stdio: [node, 'ignore', 'inherit'],
    });
    closeSync(node);
    const watching = run('ssh', [...login, '/tmp/node --input-type=module -']);
    watching.child.stdin?.end(script(watch, { ...source, interval_secs: 1 }));
    const { stdout } = await watching;
    await yard.end(id);
    return JSON.parse(stdout) as object;
  }

  it('finds that in the metadata of EC2, with a token', async () => {
    const time = new Date(Date.now() + 100_000).toISOString();
    const found = await noticeOn('ec2', EC2_SPOT_NOTICE, ({ method, path, headers }) => {
      if (method === 'PUT' && path === '/latest/api/token') return { status: 200, body: 'a-token' };
      if (headers['x-aws-ec2-metadata-token'] !== 'a-token') return { status: 401, body: '' };
      if (path !== '/latest/meta-data/spot/instance-action') return NOTHING;
      return { status: 200, body: JSON.stringify({ action: 'terminate', time }) };
    });
    expect(found).toMatchObject({ type: 'notice', reason: 'terminate', at: time });
  });

  it('finds that in the metadata of Compute Engine', async () => {
    const found = await noticeOn('gce', GCE_PREEMPTION_NOTICE, ({ path, headers }) => {
      if (path !== '/computeMetadata/v1/instance/preempted') return NOTHING;
      return { status: headers['metadata-flavor'] === 'Google' ? 200 : 403, body: 'TRUE' };
    });
    expect(found).toMatchObject({ type: 'notice', reason: 'preempted', at: null });
  });
});
