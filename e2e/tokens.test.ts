import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyFleet, configuration, newInstallation } from './installation.ts';

const TASK = `type: task
name: planned
commands: [cat input]
files: [input]
resources:
  gpu: 0
`;

describe('a token of a program', () => {
  let home: Installation;
  let file: string;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home);
    writeFileSync(join(home.home, 'input'), 'hello\n');
    file = configuration(home, 'planned.dstack.yml', TASK);
  });
  afterAll(() => home.dispose());

  /** The command with a new token of this scope. */
  async function as(scope: string, args: readonly string[], input?: string) {
    const { url } = home;
    const token = await home.ok('token', 'create', `ci-${scope}-${args.length}`, '--scope', scope);
    const env = { DSTACK_SERVER_URL: url, DSTACK_TOKEN: token.trim(), DSTACK_PROJECT: 'main' };
    return home.dstack(args, { env, ...(input === undefined ? {} : { input }) });
  }

  it('that may only read can plan, and learns what it lacks to submit', async () => {
    const dry = await as('read', ['apply', '-f', file, '--dry-run']);
    expect(dry).toMatchObject({ code: 0 });
    expect(dry.stdout).toMatch(/^ 1 {2}local/m);
    const declined = await as('read', ['apply', '-f', file], 'n\n');
    expect(declined).toMatchObject({ code: 0 });
    const { code, stderr } = await as('read', ['apply', '-f', file, '-y', '-d']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('may only read (scope read)');
    expect(stderr).toContain('next: an admin of the project can create one with the scope user');
  });

  it('that may use the project submits runs with files', async () => {
    const { code, stdout } = await as('user', ['apply', '-f', file, '-y']);
    expect(code).toBe(0);
    expect(stdout).toContain('hello');
  });
});
