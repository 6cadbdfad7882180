import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withDirectory } from '../testing/run-command.ts';
import { ConfigFile } from './config-file.ts';
import { onlyProject, resolveLogin } from './resolve-server.ts';

async function home(path: string, text: string): Promise<string> {
  await mkdir(join(path, '.dstack'), { recursive: true });
  await writeFile(join(path, '.dstack', 'config.yml'), text);
  return path;
}

const TWO = `projects:
- default: true
  name: main
  token: t1
  url: http://a
- default: null
  name: lab
  token: t2
  url: http://b
`;

test('the first project becomes the default, in a file only the owner can read', () =>
  withDirectory(async (path) => {
    const config = await ConfigFile.load(path);
    config.put({ name: 'main', url: 'http://a', token: 't' }, false);
    await config.save();
    const file = join(path, '.dstack', 'config.yml');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toBe(
      'projects:\n  - default: true\n    name: main\n    token: t\n    url: http://a\n',
    );
  }));

test('an error about an unreadable file names it and the next step', () =>
  withDirectory(async (path) => {
    const file = join(path, '.dstack', 'config.yml');
    await mkdir(file, { recursive: true });
    await expect(ConfigFile.load(path)).rejects.toMatchObject({
      message: `${file} cannot be read`,
      why: expect.stringContaining('EISDIR'),
      next: expect.stringContaining('move it away'),
    });
  }));

test('a home without the permission to create a folder is an error, not an endless loop', async () => {
  const config = await ConfigFile.load('/proc/no-such-folder/home');
  config.put({ name: 'main', url: 'http://a', token: 't' }, true);
  await expect(config.save()).rejects.toMatchObject({
    message: '/proc/no-such-folder/home/.dstack/config.yml cannot be written',
    why: expect.stringContaining('/proc/no-such-folder'),
    next: expect.stringContaining('HOME'),
  });
});

test('edits keep unknown keys, comments and the other entries', () =>
  withDirectory(async (path) => {
    await home(path, `# mine\nextra: 1\n${TWO}`);
    const config = await ConfigFile.load(path);
    config.put({ name: 'lab', url: 'http://c', token: 't3' }, true);
    await config.save();
    const text = await readFile(join(path, '.dstack', 'config.yml'), 'utf8');
    expect(text).toContain('# mine');
    expect(text).toContain('extra: 1');
    const again = await ConfigFile.load(path);
    expect(again.default?.name).toBe('lab');
    expect(again.find('lab')).toMatchObject({ url: 'http://c', token: 't3' });
    expect(again.find('main')).toMatchObject({ token: 't1', isDefault: false });
  }));

test('an updated default project stays the default, a removed one leaves none', () =>
  withDirectory(async (path) => {
    await home(path, TWO);
    const config = await ConfigFile.load(path);
    config.put({ name: 'main', url: 'http://x', token: 't' }, false);
    expect(config.default?.name).toBe('main');
    expect(config.remove('main')).toBe(true);
    expect(config.default).toBeUndefined();
    expect(config.remove('main')).toBe(false);
  }));

test.each(['projects: [', 'projects: 5', '[1, 2]', 'projects: [{name: x}]'])(
  'a file of an unknown form (%s) is an error and stays unchanged',
  (text) =>
    withDirectory(async (path) => {
      await home(path, text);
      await expect(ConfigFile.load(path)).rejects.toThrow('config.yml');
      expect(await readFile(join(path, '.dstack', 'config.yml'), 'utf8')).toBe(text);
    }),
);

const both = { DSTACK_SERVER_URL: 'http://e', DSTACK_TOKEN: 'te' };

test.each([
  [undefined, {}, { project: 'main', url: 'http://a', token: 't1' }],
  ['lab', {}, { project: 'lab', url: 'http://b', token: 't2' }],
  [undefined, { DSTACK_PROJECT: 'lab' }, { project: 'lab', url: 'http://b', token: 't2' }],
  ['main', { DSTACK_PROJECT: 'lab' }, { project: 'main', url: 'http://a', token: 't1' }],
  [undefined, { DSTACK_TOKEN: 'te' }, { project: 'main', url: 'http://a', token: 'te' }],
  ['other', both, { project: 'other', url: 'http://e', token: 'te' }],
  [undefined, both, { project: null, url: 'http://e', token: 'te' }],
])('--project %s with %j is %j', (project, env, expected) =>
  withDirectory(async (path) => {
    await home(path, TWO);
    expect(await resolveLogin({ project, env, home: path })).toEqual(expected);
  }),
);

test.each([
  ['nope', {}, TWO, 'Project nope is not configured'],
  ['nope', { DSTACK_SERVER_URL: 'http://e' }, TWO, 'DSTACK_TOKEN is not set'],
  [
    undefined,
    {},
    'projects: [{name: a, url: u, token: t}]',
    'No default project, specify project name',
  ],
  [undefined, {}, '', 'No project is configured'],
])('--project %s with %j fails', (project, env, text, message) =>
  withDirectory(async (path) => {
    await home(path, text);
    await expect(resolveLogin({ project, env, home: path })).rejects.toThrow(message);
  }),
);

test('the only project of a token is meant where none is named', () => {
  expect(onlyProject(['lab'])).toBe('lab');
});

test.each([
  [['lab', 'main'], 'lab, main'],
  [[], 'a member of no project'],
])('projects %j leave no choice without a name', (names, why) => {
  expect(() => onlyProject(names)).toThrow(
    expect.objectContaining({ message: 'No project given', why: expect.stringContaining(why) }),
  );
});
