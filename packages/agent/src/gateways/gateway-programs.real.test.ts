import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { GatewayPrograms } from './gateway-programs.ts';

const SOON = { timeout: 20_000, interval: 20 };

/** Records itself and takes over from another one, as the program of a gateway does. */
const PROGRAM = `
const { appendFileSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const runtime = process.argv[process.argv.indexOf('--runtime') + 1];
const path = runtime + '/program.json';
appendFileSync(process.argv[1] + '.starts', process.pid + '\\n');
let earlier = null;
try { earlier = JSON.parse(readFileSync(path, 'utf8')).pid; } catch {}
writeFileSync(path + '.' + process.pid, JSON.stringify({ pid: process.pid, program: process.argv[1] }));
renameSync(path + '.' + process.pid, path);
try { if (earlier !== null) process.kill(earlier, 'SIGTERM'); } catch {}
setInterval(() => {}, 1000);
`;

function world() {
  const id = randomUUID();
  const dir = mkdtempSync(join(tmpdir(), 'dstack-programs-'));
  const program = join(dir, 'gateway.cjs');
  const install = () => {
    writeFileSync(`${program}.new`, PROGRAM);
    renameSync(`${program}.new`, program);
  };
  install();
  const runtime = process.getuid?.() === 0 ? '/run/dstack' : join(dir, 'run');
  const record = `${runtime}-gw-${id.slice(0, 8)}/program.json`;
  const running = () => {
    try {
      return Number(JSON.parse(readFileSync(record, 'utf8')).pid);
    } catch {
      return null;
    }
  };
  const starts = () => readFileSync(`${program}.starts`, 'utf8').trim().split('\n').map(Number);
  const made: GatewayPrograms[] = [];
  const agent = () => {
    const programs = new GatewayPrograms({
      ...{ stateDir: dir, runtimeDir: join(dir, 'run'), program, onCount: () => {} },
      log: createEventLogger(() => {}),
    });
    made.push(programs);
    return programs;
  };
  onTestFinished(async () => {
    await made.at(-1)?.remove(id);
    for (const programs of made) programs.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { agent, id, install, program, running, starts };
}

const LABEL = { name: 'edge', project: 'main' };

it('lets the program take over whose files were replaced under the same path', async () => {
  const { agent, id, install, running } = world();
  agent().put(id, LABEL);
  await expect.poll(running, SOON).not.toBeNull();
  const first = running();
  install();
  await expect.poll(running, SOON).not.toBe(first);
});

it('leaves a program alone while its files are the same, or away, also as another agent', async () => {
  const { agent, id, install, program, running, starts } = world();
  const one = agent();
  one.put(id, LABEL);
  await expect.poll(running, SOON).not.toBeNull();
  const first = running();
  one.close();
  const second = agent();
  second.recover();
  second.close();
  rmSync(program);
  agent().recover();
  expect(running()).toBe(first);
  install();
  await expect.poll(running, SOON).not.toBe(first);
  expect(starts()).toEqual([first, running()]);
});
