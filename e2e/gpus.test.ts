import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { FakeMachine } from '@dstack/testkit/fake-machine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  configuration,
  dstack,
  isFinished,
  isRunning,
  newInstallation,
  type ShownRun,
  untilRun,
} from './installation.ts';

const missing = dockerMissing();
if (missing) console.warn(`GPUs of the server's machine are NOT tested: ${missing} is missing`);

/** A server whose machine appears to have four accelerators. */
describe.skipIf(missing !== null)('the GPUs of the server’s machine', () => {
  let machine: FakeMachine;
  let engine: TestDocker;
  let home: Installation;
  beforeAll(async () => {
    const chips = [0, 1, 2, 3];
    const boards = chips.map((chip) => ({
      board_info: { board_type: 'p150b', board_id: `b${chip}`, bus_id: `0000:0${chip}:00.0` },
    }));
    const tool = `cat <<'END'\n${JSON.stringify({ device_info: boards })}\nEND`;
    const nodes = chips.map((chip) => `tenstorrent/${chip}`);
    machine = new FakeMachine(nodes, { 'tt-smi': tool });
    engine = await startDocker({ prepare: machine.prepare });
    await engine.busybox('busybox:test');
    const env = { DSTACK_LOCAL_EXECUTOR: 'docker', DOCKER_HOST: engine.host };
    home = newInstallation(env, machine.wrap(dstack));
    await home.startServer();
    const fleet = 'type: fleet\nname: default\nnodes: 0..4\nresources: {gpu: 0..}\n';
    await home.ok('apply', '-f', configuration(home, 'fleet.dstack.yml', fleet), '-y');
  });
  afterAll(async () => {
    await home?.dispose();
    await engine?.close();
    machine?.remove();
  });

  async function submit(name: string, gpu: string): Promise<ShownRun> {
    const commands = 'commands: ["echo chips $(ls /dev/tenstorrent) end", "sleep 100000"]';
    const yaml = `type: task\nname: ${name}\nimage: busybox:test\n${commands}\nresources: {gpu: ${gpu}}\n`;
    await home.ok('apply', '-f', configuration(home, `${name}.dstack.yml`, yaml), '-y', '-d');
    return await untilRun(home, name, (run) => isRunning(run) || isFinished(run));
  }

  async function chipsOf(name: string): Promise<string[]> {
    for (;;) {
      const [, seen] = /chips (.*?) ?end/.exec(await home.ok('logs', name)) ?? [];
      if (seen !== undefined) return seen.split(' ').filter((chip) => chip !== '');
    }
  }

  it('belong to one job at a time, and are free again after it', async () => {
    const wanted = { one: '1', two: 'p150:2', rest: '1..' };
    for (const [name, gpu] of Object.entries(wanted)) {
      expect((await submit(name, gpu)).status).toBe('running');
    }
    const seen = await Promise.all(Object.keys(wanted).map(chipsOf));
    expect(seen.map((chips) => chips.length)).toEqual([1, 2, 1]);
    expect(seen.flat().sort()).toEqual(['0', '1', '2', '3']);
    const late = await submit('late', '2');
    expect(late.status).toBe('failed');
    expect(late.latest_job_submission.termination_reason_message).toContain(
      'other jobs use the GPUs',
    );
    await home.ok('stop', 'two', '-y', '--abort');
    await untilRun(home, 'two', isFinished);
    await submit('later', '2');
    expect(await chipsOf('later')).toEqual(seen[1]);
  });

  it('are hidden from jobs that request none', async () => {
    await submit('none', '0');
    expect(await chipsOf('none')).toEqual([]);
  });
});
