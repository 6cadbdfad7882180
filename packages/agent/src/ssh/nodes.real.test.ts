import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';
import { SshClient } from '../testing/ssh-client.ts';
import type { TestStream } from '../testing/test-stream.ts';
import { generateHostKey, publicKeyOf } from './host-key.ts';

const missing = existsSync('/usr/bin/ssh') ? null : 'ssh';
if (missing) console.warn(`SSH between nodes is NOT tested: ${missing} is missing`);

/** Each is an address of this host (Linux has all of 127.0.0.0/8) that only this process uses. */
const IPS = [1, 2].map((n) => `127.${100 + n}.${(process.pid >> 8) & 255}.${process.pid & 255}`);

describe.skipIf(missing !== null)('the nodes of a run', () => {
  let agents: AgentHarness[];
  let streams: TestStream[];
  let client: SshClient;
  /** Jobs of a test and the nodes they are on. */
  const placed: [number, string][] = [];
  beforeAll(async () => {
    agents = IPS.map(() => new AgentHarness());
    streams = [];
    for (const agent of agents) {
      await agent.start();
      streams.push(await agent.connect());
    }
    client = new SshClient();
  });
  afterAll(async () => {
    for (const stream of streams) await stream.close();
    for (const agent of agents) await agent.dispose();
    client?.close();
  });

  afterEach(async () => {
    for (const [node, id] of placed.splice(0)) {
      await agents[node]?.stop(id, false);
      await streams[node]?.whole(id);
    }
  });

  const hostKeys = async () => {
    const infos = await Promise.all(agents.map((agent) => agent.call('GET', '/v1/info')));
    return infos.map(({ body }) => body.host.ssh_host_key as string);
  };

  interface Pair {
    readonly lines: readonly [readonly string[], readonly string[]];
    readonly ips?: readonly string[];
    readonly keys?: readonly string[];
  }

  /** Puts both nodes and returns their ids. */
  async function put({ lines, ips = IPS, keys }: Pair): Promise<string[]> {
    const key = generateHostKey();
    const cluster = {
      job_ips: ips,
      master_job_ip: ips[0] ?? '',
      gpus_per_job: 0,
      gpus_per_node: [0, 0],
      host_keys: keys ?? (await hostKeys()),
    };
    const specs = lines.map((own, job_num) =>
      jobSpec(own, {
        job_num,
        jobs_per_replica: 2,
        cluster,
        job_private_key: key,
        authorized_keys: { user: client.keys.user, project: [], job: [publicKeyOf(key)] },
      }),
    );
    for (const [node, spec] of specs.entries()) {
      await agents[node]?.put(spec);
      placed.push([node, spec.id]);
    }
    return specs.map(({ id }) => id);
  }

  it('log into each other by address, with their environment, in any order of their starts', async () => {
    const words = `ssh ${IPS[1]} 'echo "on $DSTACK_NODE_RANK as $(id -un)"; cat; exit 7'`;
    const [first = ''] = await put({
      lines: [[`echo piped | ${words}; echo "ended with $?"`, `ssh ${IPS[0]} pwd`], ['sleep 600']],
    });
    const { text, state } = await streams[0]!.whole(first);
    expect(text).toContain('on 1 as ');
    expect(text).toContain('piped\r\nended with 7\r\n');
    expect(text).toContain(`/jobs/${first}/work`);
    expect(state.exit).toMatchObject({ status: 0 });
  });

  it('copy files, and refuse other runs', async () => {
    const [, second = ''] = await put({ lines: [['true'], ['echo waiting; sleep 600']] });
    await streams[1]!.until(() => streams[1]!.text(second).includes('waiting'));
    const knock = (key: string) =>
      client.run('ssh', [
        ...['-F', '/dev/null', '-i', join(client.dir, key), '-p', '10022', '-o', 'BatchMode=yes'],
        ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
        ...[`root@${IPS[1]}`, 'echo inside'],
      ]);
    for (const key of ['user', 'project', 'job']) {
      const { code, stderr } = await knock(key);
      expect({ code, denied: /Permission denied/.test(stderr) }).toEqual({
        code: 255,
        denied: true,
      });
    }
    const copy = `echo content > f && scp -q f ${IPS[1]}:copied && ssh ${IPS[1]} cat copied`;
    // A node of another run on the same hosts, with its own key.
    const [other = '', twin = ''] = await put({
      lines: [
        [copy, 'echo "of $DSTACK_JOB_ID"', `ssh ${IPS[1]} 'echo "in $DSTACK_JOB_ID"'`],
        ['sleep 600'],
      ],
    });
    const { text } = await streams[0]!.whole(other);
    expect(text).toContain(`content\r\nof ${other}\r\nin ${twin}\r\n`);
  });

  it('do not accept another host as theirs', async () => {
    const keys = [publicKeyOf(generateHostKey()), publicKeyOf(generateHostKey())];
    const [first = ''] = await put({
      lines: [[`ssh ${IPS[1]} 'echo inside'`], ['sleep 600']],
      keys,
    });
    const { text, state } = await streams[0]!.whole(first);
    expect(text).toContain('Host key verification failed');
    expect(text).not.toContain('inside');
    expect(state.exit).toMatchObject({ status: 255 });
  });

  it('reach each other again after the death of an agent', async () => {
    const [first = '', second = ''] = await put({
      lines: [
        [
          'while [ ! -e go ]; do sleep 0.05; done',
          `ssh ${IPS[1]} 'echo "still $DSTACK_NODE_RANK"'`,
        ],
        ['sleep 600'],
      ],
    });
    await streams[1]!.until(() => streams[1]!.state(second)?.phase === 'running');
    await streams[1]!.close();
    await agents[1]!.end('SIGKILL');
    await agents[1]!.start();
    streams[1] = await agents[1]!.connect();
    writeFileSync(join(agents[0]!.state, 'jobs', first, 'work', 'go'), '');
    expect((await streams[0]!.whole(first)).text).toContain('still 1\r\n');
  });

  it('have a listener only while they exist, and a taken port is reported', async () => {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(10_022, IPS[0], resolve);
    });
    try {
      const [first = '', second = ''] = await put({ lines: [['echo ran'], ['true']] });
      const { state } = await streams[0]!.whole(first);
      expect(state.exit).toMatchObject({ status: null, reason: 'ports_binding_failed' });
      expect(state.exit?.message).toContain(`the agent cannot listen on port 10022 of ${IPS[0]}`);
      await streams[1]!.whole(second);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
