import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { FakeMachine } from '@dstack/testkit/fake-machine';
import { afterEach, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec, jobUser } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';

const missing = dockerMissing();
if (missing) console.warn(`GPUs in Docker are NOT tested: ${missing} is missing`);

const IMAGE = 'busybox:test';
const LASTING = 'trap "exit 0" TERM INT; while :; do sleep 0.1; done';

const amdSmi = (bdfs: readonly string[]) => {
  const cards = bdfs.map((bdf) => ({
    asic: { market_name: 'AMD Instinct MI300X' },
    vram: { size: { value: 196592 } },
    bus: { bdf },
    driver: { version: '6.8' },
  }));
  return `cat <<'END'\n${JSON.stringify(cards)}\nEND`;
};

const ttSmi = (count: number) => {
  const board = (index: number) => ({
    board_info: { board_type: 'p150b', board_id: `b${index}`, bus_id: `0000:0${index}:00.0` },
  });
  const devices = Array.from({ length: count }, (_, index) => board(index));
  return `cat <<'END'\n${JSON.stringify({ device_info: devices })}\nEND`;
};

function shell(script: string, more: Parameters<typeof jobSpec>[1] = {}) {
  const commands = ['/bin/sh', '-c', script];
  return jobSpec([], { shell_commands: null, image_name: IMAGE, commands, ...more });
}

describe.skipIf(missing !== null)('GPUs in containers', () => {
  let machine: FakeMachine;
  let engine: TestDocker;
  let agent: AgentHarness;
  let stream: TestStream;

  async function boot(
    devices: readonly string[],
    tools: Readonly<Record<string, string>>,
    config: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    machine = new FakeMachine(devices, tools);
    engine = await startDocker({ prepare: machine.prepare, config });
    await engine.busybox(IMAGE);
    const env = { DOCKER_HOST: engine.host };
    agent = new AgentHarness(['--executor', 'docker'], env, undefined, machine.around);
    await agent.start();
    stream = await agent.connect();
  }
  afterEach(async () => {
    await stream.close();
    await agent.dispose();
    await engine.close();
    machine.remove();
  });

  const settingsOf = async (id: string) =>
    (await engine.docker.getContainer(`dstack-${id}`).inspect()).HostConfig;

  it('are on AMD its device files, and the groups that own them', async () => {
    const nodes = ['kfd', 'dri/renderD128', 'dri/renderD129'];
    await boot(nodes, { 'amd-smi': amdSmi(['/dev/dri/renderD128', '/dev/dri/renderD129']) });
    const script = `ls /dev/dri; id -G; : > /dev/dri/renderD128 && echo open; ${LASTING}`;
    const spec = shell(script, { gpus: 1, user: jobUser({ username: 'alice' }) });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('open'));
    expect(stream.text(spec.id)).toMatch(/^renderD128\r\n(\d+ )*110( \d+)*\r\nopen/);
    const settings = await settingsOf(spec.id);
    expect(settings.Devices?.map((each: { PathOnHost: string }) => each.PathOnHost)).toEqual([
      '/dev/kfd',
      '/dev/dri/renderD128',
    ]);
    expect(settings).toMatchObject({
      IpcMode: 'host',
      CapAdd: ['SYS_PTRACE'],
      SecurityOpt: expect.arrayContaining(['seccomp=unconfined']),
    });
  });

  it('belong to one job at a time, over the death of the agent, until its end', async () => {
    const nodes = [0, 1, 2, 3].map((index) => `tenstorrent/${index}`);
    await boot(nodes, { 'tt-smi': ttSmi(4) });
    const specs = [1, 2].map((gpus) => shell(`ls /dev/tenstorrent; ${LASTING}`, { gpus }));
    const [one, two] = specs as [(typeof specs)[0], (typeof specs)[0]];
    for (const spec of specs) {
      await agent.put(spec);
      await stream.until(() => stream.state(spec.id)?.phase === 'running');
    }
    const seen = (id: string) => stream.until(() => /^(?:\d+\s+)+/.exec(stream.text(id))?.[0]);
    expect((await seen(one.id)).trim()).toBe('0');
    expect((await seen(two.id)).trim().split(/\s+/)).toEqual(['1', '2']);
    stream = await agent.restartAfterKill(stream);
    const tooMany = shell('true', { gpus: 2 });
    await agent.put(tooMany);
    expect((await stream.whole(tooMany.id)).state.exit).toMatchObject({
      reason: 'executor_error',
      message: 'The job needs 2 GPUs, but only 1 of 4 are free',
    });
    await agent.stop(one.id, false);
    await stream.whole(one.id);
    const rest = shell('ls /dev/tenstorrent', { gpus: null });
    await agent.put(rest);
    expect((await stream.whole(rest.id)).text.trim().split(/\s+/)).toEqual(['0', '3']);
  });

  it('are on NVIDIA requested by their ids', async () => {
    const smi =
      'printf "NVIDIA H100 80GB HBM3, 81559, GPU-1, 550.54\\nNVIDIA H100 80GB HBM3, 81559, GPU-2, 550.54\\n"';
    // The daemon takes the presence of this file for an installed toolkit.
    await boot(['nvidiactl'], { 'nvidia-smi': smi, 'nvidia-container-runtime-hook': 'exit 0' });
    const spec = shell(`env | grep NVIDIA_VISIBLE; ${LASTING}`, { gpus: 1 });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('NVIDIA_VISIBLE_DEVICES=GPU-1\r\n'));
    const capabilities = ['gpu', 'utility', 'compute', 'graphics', 'video', 'compat32', 'display'];
    expect((await settingsOf(spec.id)).DeviceRequests).toMatchObject([
      { DeviceIDs: ['GPU-1'], Capabilities: [capabilities] },
    ]);
  });

  it('are on NVIDIA none for a job without GPUs, despite variables of its run and its image', async () => {
    await boot(['nvidiactl'], { 'nvidia-smi': 'echo "NVIDIA T4, 15360, GPU-1, 550.54"' });
    const env = { NVIDIA_VISIBLE_DEVICES: 'all' };
    const spec = shell('echo "[$NVIDIA_VISIBLE_DEVICES]"', { gpus: 0, env });
    await agent.put(spec);
    expect((await stream.whole(spec.id)).text).toContain('[void]');
  });

  it('report what is missing if NVIDIA’s toolkit is not installed', async () => {
    await boot(['nvidiactl'], { 'nvidia-smi': 'echo "NVIDIA T4, 15360, GPU-1, 550.54"' });
    const spec = shell('true', { gpus: 1 });
    await agent.put(spec);
    const { exit } = (await stream.whole(spec.id)).state;
    expect(exit).toMatchObject({ status: null, reason: 'creating_container_error' });
    expect(exit?.message).toMatch(/could not select device driver.*NVIDIA Container Toolkit/);
  });

  it('are on Gaudi given by its own runtime', async () => {
    const tools = { 'hl-smi': 'printf "HL-225, 98304, 0\\nHL-225, 98304, 1\\n"' };
    const runtimes = { habana: { path: '/usr/sbin/runc' } };
    await boot(['accel/accel0'], tools, { runtimes });
    const env = { HABANA_VISIBLE_DEVICES: 'all' };
    const spec = shell(`echo "[$HABANA_VISIBLE_DEVICES]"; ${LASTING}`, { gpus: 2, env });
    await agent.put(spec);
    await stream.until(() => stream.text(spec.id).includes('[0,1]'));
    expect(await settingsOf(spec.id)).toMatchObject({
      Runtime: 'habana',
      IpcMode: 'host',
      CapAdd: ['SYS_NICE'],
    });
  });

  it('come with the adapters for remote memory access of the host', async () => {
    await boot(['infiniband/uverbs0', 'infiniband/rdma_cm'], {});
    const spec = shell(`ls /dev/infiniband; ulimit -l; echo seen; ${LASTING}`);
    await agent.put(spec);
    await stream.until(() => /rdma_cm\s+uverbs0\s+[\s\S]*seen/.test(stream.text(spec.id)));
    const { CapAdd, Ulimits } = await settingsOf(spec.id);
    expect(CapAdd).toEqual(['IPC_LOCK']);
    if (agent.log.includes('rlimit')) {
      console.warn('unlimited locked memory is NOT tested: limits may not be raised here');
      expect(Ulimits ?? []).toEqual([]);
    } else {
      expect(Ulimits).toEqual([{ Name: 'memlock', Soft: -1, Hard: -1 }]);
      expect(stream.text(spec.id)).toContain('unlimited');
    }
  });
});
