import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeMachine } from './fake-machine.ts';

const missing = process.getuid?.() === 0 ? null : 'root';
if (missing && process.env.CI) throw new Error(`Fake machines cannot be tested: not ${missing}`);
if (missing) console.warn(`Fake machines are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('a fake machine', () => {
  let machine: FakeMachine;
  beforeEach(() => {
    machine = new FakeMachine(['fake0', 'fakes/one'], { 'fake-smi': 'echo "smi: $*"' });
  });
  afterEach(() => machine.remove());

  function there(...command: string[]): string {
    const [program = '', ...args] = [...machine.around, ...command];
    return execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' });
  }

  it('has its devices, which their group may use, and no others', () => {
    const shown = there('stat', '-c', '%n %F %a %g', '/dev/fake0', '/dev/fakes/one');
    expect(shown).toBe(
      '/dev/fake0 character special file 660 110\n/dev/fakes/one character special file 660 110\n',
    );
    const others = there('ls', '/dev').trim().split('\n');
    expect(others).not.toContain('nvidia0');
    expect(others).not.toContain('loop0');
    expect(there('ls', '/dev/fakes')).toBe('one\n');
  });

  it('has the files and devices that every program needs', () => {
    const script =
      'echo lost > /dev/null; head -c 3 /dev/zero | wc -c; echo 1 > /dev/shm/a; ls /dev/pts';
    expect(there('sh', '-c', script)).toMatch(/^3\n(.*\n)*ptmx\n/);
  });

  it('finds its own tools before those of this computer', () => {
    expect(there('fake-smi', 'a b', '-x')).toBe('smi: a b -x\n');
    machine.tool('uname', 'echo another system');
    expect(there('uname')).toBe('another system\n');
  });

  it('runs a wrapped program with its arguments and returns its exit code', () => {
    const path = machine.wrap('/bin/sh');
    const run = (script: string) => execFileSync(path, ['-c', script, 'sh', 'a b']).toString();
    expect(run('ls /dev/fakes; fake-smi "$1"')).toBe('one\nsmi: a b\n');
    expect(() => run('exit 7')).toThrow(expect.objectContaining({ status: 7 }));
  });

  it('leaves this computer unchanged, also after it was removed', () => {
    const mounts = () => execFileSync('cat', ['/proc/self/mounts'], { encoding: 'utf8' });
    const before = mounts();
    there('true');
    expect(existsSync('/dev/fake0')).toBe(false);
    expect(mounts()).toBe(before);
    machine.remove();
    expect(existsSync(machine.dir)).toBe(false);
  });
});
