import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type FakeServer, type Route, startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, withDirectory } from '../../testing/run-command.ts';

const project: Route = ({ path }) => ({ json: { project_name: path.split('/')[3] } });

async function serving(routes: Readonly<Record<string, Route>> = {}): Promise<FakeServer> {
  return startFakeServer({
    'POST /api/projects/main/get': project,
    'POST /api/projects/lab/get': project,
    ...routes,
  });
}

const add = (name: string, url: string, ...more: string[]): string[] => [
  ...['project', 'add', '--name', name, '--url', url, '--token', 'tok'],
  ...more,
];

test('a project is checked, added and listed', () =>
  withDirectory(async (home) => {
    const { url } = await serving();
    const added = await runCommand(add('main', `${url}/`), { home });
    expect([added.code, added.out]).toEqual([0, '']);
    expect(added.err).toContain('Configuration updated at');
    const { out } = await runCommand(['project'], { home });
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((l) => l.split(/\s{2,}/).map((c) => c.trim())),
    ).toEqual([
      ['PROJECT', 'URL', 'DEFAULT'],
      ['main', url, '✓'],
    ]);
    const json = await runCommand(['project', 'list', '--json'], { home });
    expect(JSON.parse(json.out)).toEqual({ projects: [{ name: 'main', url, default: true }] });
    expect(json.out).not.toContain('tok');
  }));

test.each([
  [['-y'], undefined, 'lab'],
  [['-n'], undefined, 'main'],
  [[], 'y\n', 'lab'],
  [[], 'n\n', 'main'],
])('a second project becomes the default only on request (%j, %j)', (flags, input, expected) =>
  withDirectory(async (home) => {
    const { url } = await serving();
    await runCommand(add('main', url), { home });
    const { code } = await runCommand(add('lab', url, ...flags), {
      home,
      ...(input ? { input } : {}),
    });
    expect(code).toBe(0);
    const { out } = await runCommand(['project', 'list', '--json'], { home });
    const { projects } = JSON.parse(out) as { projects: { name: string; default: boolean }[] };
    expect(projects.filter((p) => p.default).map((p) => p.name)).toEqual([expected]);
  }),
);

test.each([
  [
    { status: 403, json: { detail: { msg: 'Invalid token', code: null } } },
    'does not accept the token',
    4,
  ],
  [{ status: 404, json: { detail: { msg: 'Not found', code: null } } }, 'does not exist on', 3],
] as const)('a project that cannot be used is not added', (answer, message, exitCode) =>
  withDirectory(async (home) => {
    const { url } = await serving({ 'POST /api/projects/main/get': answer });
    const { code, err } = await runCommand(add('main', url), { home });
    expect(code).toBe(exitCode);
    expect(err).toContain(message);
    await expect(readFile(join(home, '.dstack', 'config.yml'))).rejects.toThrow();
  }),
);

test('the default is changed and a project removed by name', () =>
  withDirectory(async (home) => {
    const { url } = await serving();
    await runCommand(add('main', url), { home });
    await runCommand(add('lab', url, '-n'), { home });
    expect((await runCommand(['project', 'set-default', 'lab'], { home })).err).toBe('OK\n');
    expect((await runCommand(['project', 'delete', '--name', 'main', '-y'], { home })).err).toBe(
      'OK\n',
    );
    const { out } = await runCommand(['project', 'list', '--json'], { home });
    expect(JSON.parse(out)).toEqual({ projects: [{ name: 'lab', url, default: true }] });
    expect((await runCommand(['project', 'set-default', 'main'], { home })).code).toBe(3);
  }));

test('the verbose list shows the user of each project', () =>
  withDirectory(async (home) => {
    const { url } = await serving({
      'POST /api/users/get_my_user': ({ headers }) =>
        headers.authorization === 'Bearer tok'
          ? { json: { username: 'admin' } }
          : { status: 403, json: { detail: { msg: 'Invalid token', code: null } } },
    });
    await runCommand(add('main', url), { home });
    const { out } = await runCommand(['project', '-v'], { home });
    expect(out).toMatch(/main .* admin +✓/);
  }));

test('with a server and a token from the environment, the projects of that token are listed', () =>
  withDirectory(async (home) => {
    const projects = [{ project_name: 'main' }, { project_name: 'lab' }];
    const { url } = await serving({ 'POST /api/projects/list': { json: projects } });
    const env = { DSTACK_SERVER_URL: url, DSTACK_TOKEN: 'tok', DSTACK_PROJECT: 'lab' };
    const { out } = await runCommand(['project', 'list', '--json'], { home, env });
    expect(JSON.parse(out)).toEqual({
      projects: [
        { name: 'main', url, default: false },
        { name: 'lab', url, default: true },
      ],
    });
  }));
