import { expect, test } from 'vitest';
import { attachedRun, BASE, withStatus } from '../../testing/apply-run.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv, withDirectory } from '../../testing/run-command.ts';
import { shellLine } from './ssh.ts';

test.each([
  [[], []],
  [['echo $HOME | wc'], ['echo $HOME | wc']],
  [['python', '-c', 'print("a  b")'], [`python -c 'print("a  b")'`]],
  [['ls', 'my file', '$HOME', "it's", ''], [`ls 'my file' '$HOME' 'it'"'"'s' ''`]],
])('the arguments %j become the line %j of the job’s shell', (words, line) => {
  expect(shellLine(words)).toEqual(line);
});

test("a token that may not read the user's keys needs --ssh-identity", () =>
  withDirectory(async (home) => {
    const msg = 'Access denied: service tokens cannot be used for this';
    const fake = await startFakeServer({
      [`POST ${BASE}/runs/get`]: {
        json: withStatus(await attachedRun(), 'running', 'running', 'running'),
      },
      'POST /api/users/get_my_user': { status: 403, json: { detail: { msg, code: null } } },
    });
    const { code, err } = await runCommand(['ssh', 'rr'], { env: serverEnv(fake.url), home });
    expect(code).toBe(1);
    expect(err).toContain('A token of a program has no SSH key');
    expect(err).toContain('--ssh-identity FILE');
  }));
