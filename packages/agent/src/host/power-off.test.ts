import { expect, it } from 'vitest';
import { createEventLogger } from './log.ts';
import { PowerOff, type RunTool } from './power-off.ts';
import type { ToolEnd } from './run-tool.ts';

const OK: ToolEnd = { kind: 'ended', code: 0, stdout: '', stderr: '' };
const NO_SYSTEMD: ToolEnd = { ...OK, code: 1, stderr: 'System has not been booted with systemd' };

/** Nothing of this computer is powered off: `answer` replaces all programs. */
function setUp(answer: (command: string) => ToolEnd) {
  const commands: string[] = [];
  let logged = '';
  const run: RunTool = async (file, args) => {
    const command = [file, ...args].join(' ');
    commands.push(command);
    return answer(command);
  };
  const log = createEventLogger((line) => {
    logged += line;
  });
  return { commands, off: new PowerOff(log, run), logged: () => logged };
}

it('a machine is powered off in order, and once while that is under way', async () => {
  const { off, commands } = setUp(() => OK);
  await Promise.all([off.request(), off.request()]);
  expect(commands).toEqual(['poweroff']);
});

it('a machine without an init system is powered off at once', async () => {
  const { off, commands, logged } = setUp((command) => (command === 'poweroff' ? NO_SYSTEMD : OK));
  await off.request();
  expect(commands).toEqual(['poweroff', 'poweroff -ff']);
  expect(logged()).toContain('not been booted with systemd');
});

it('a machine that goes on although its power-off was accepted is powered off at once', async () => {
  const { off, commands } = setUp(() => OK);
  for (let request = 0; request < 4; request++) await off.request();
  expect(commands).toEqual(['poweroff', 'poweroff', 'poweroff', 'poweroff -ff']);
});

it('the program is also found where PATH does not lead', async () => {
  const { off, commands } = setUp((command) => (command === 'poweroff' ? { kind: 'missing' } : OK));
  await off.request();
  expect(commands).toEqual(['poweroff', '/sbin/poweroff']);
});

it('a machine without such a program is reported', async () => {
  const { off, logged } = setUp(() => ({ kind: 'missing' }));
  await off.request();
  expect(logged()).toContain('it has no program for it');
});
