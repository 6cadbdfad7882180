import { afterEach, expect, it, vi } from 'vitest';
import { startPiped } from './start-piped.ts';

afterEach(() => vi.unstubAllEnvs());

async function output(script: string, input: string) {
  const argv = ['/bin/sh', '-c', script];
  const command = { before: [], argv, env: { PATH: '/usr/bin:/bin' }, cwd: '/' };
  const session = await startPiped(command, process.getuid?.() ?? 0);
  const seen = { out: '', error: '' };
  session.stdin.end(input);
  const sink = async (bytes: Buffer, isError: boolean) => {
    seen[isError ? 'error' : 'out'] += bytes.toString();
  };
  const code = await session.run(sink);
  return { ...seen, code };
}

const ECHO = 'read line; echo "got $line"; echo failed >&2; exit 7';
const ECHOED = { out: 'got hello\n', error: 'failed\n', code: 7 };

it('a command has pipes, which it can open by their names', async () => {
  expect(await output('echo named > /dev/stderr', '')).toEqual({
    ...{ out: '', error: 'named\n', code: 0 },
  });
});

it.each([
  ['the program that makes pipes', 'PATH', '/nowhere'],
  ['a place for temporary files', 'TMPDIR', '/nowhere'],
])('a command also runs without %s', async (_what, name, value) => {
  vi.stubEnv(name, value);
  expect(await output(ECHO, 'hello\n')).toEqual(ECHOED);
});
