import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OutgoingRules } from '../../outgoing/outgoing-rules.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { gitTemplates } from './git-templates.ts';

let server: TestServer;
let dir: string;
let url: string;

const git = (...args: string[]) =>
  execFileSync('git', ['-C', dir, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args]);

function write(name: string, text: string): void {
  writeFileSync(join(dir, '.dstack', 'templates', name), text);
  git('add', '.');
  git('commit', '-qm', name);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-templates-test-'));
  url = `file://${dir}`;
  mkdirSync(join(dir, '.dstack', 'templates'), { recursive: true });
  git('init', '-q');
  write('b.yaml', 'type: template\nname: b\ntitle: B\nconfiguration: {type: task}\n');
  write(
    'a.yml',
    'type: template\nname: a\ntitle: A\nparameters: [{type: name}]\nconfiguration: {}\n',
  );
  write('broken.yml', '{');
  write('other.yml', 'type: task\n');
  server = await startTestServer();
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

const list = async () => (await server.call('/api/project/main/templates/list')).body;
const setRepo = (templates_repo: string) =>
  server.call('/api/projects/main/update', { templates_repo });

it('the password in the URL of a repository never appears in an error', async () => {
  const source = gitTemplates({ rules: new OutgoingRules(['loopback']), own: null });
  const refusing = 'http://user:hunter2@127.0.0.1:1/repo.git';
  for (const asked of [source.read, source.probe]) {
    const error = await asked(refusing).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(Error);
    expect(inspect(error, { showHidden: true })).not.toContain('hunter2');
    expect(String(error)).toMatch(/git (clone|ls-remote) has failed: .*127\.0\.0\.1/);
  }
});

describe('templates', () => {
  it('are empty without a repository', async () => {
    expect(await list()).toEqual([]);
  });

  it('come from the project’s repository, without other files, and are cached for a while', async () => {
    expect((await setRepo(url)).body.templates_repo).toBe(url);
    expect(await list()).toEqual([
      {
        type: 'template',
        name: 'a',
        title: 'A',
        description: null,
        parameters: [{ type: 'name' }],
        configuration: {},
      },
      expect.objectContaining({ name: 'b', parameters: [] }),
    ]);
    write('c.yml', 'type: template\nname: c\ntitle: C\nconfiguration: {}\n');
    expect(await list()).toHaveLength(2);
    server.advance(181);
    expect(await list()).toHaveLength(3);
  });

  it('of an unreadable repository are refused at once', async () => {
    const answer = await setRepo(`${url}-nosuch`);
    expect([answer.status, answer.body.detail[0].code]).toEqual([400, 'error']);
  });

  it('of a repository that was deleted since are empty', async () => {
    rmSync(join(dir, '.git'), { recursive: true });
    server.advance(181);
    expect(await list()).toEqual([]);
  });

  it('of an address inside the network are refused, with the setting that allows it', async () => {
    const source = gitTemplates({ rules: new OutgoingRules([]), own: null });
    const inside = await startTestServer({}, { templates: source });
    const set = (templates_repo: string) =>
      inside.call('/api/projects/main/update', { templates_repo });
    const answer = await set('http://127.0.0.1:1/templates.git');
    expect(answer.status).toBe(400);
    expect(answer.body.detail[0].msg).toMatch(
      /^templates_repo: 127\.0\.0\.1 .*DSTACK_SERVER_OUTGOING_ALLOW/,
    );
    const other = await set('ssh://git@example.com/templates.git');
    expect(other.body.detail[0].msg).toMatch(/^templates_repo: the protocol ssh: is not allowed/);
    await inside.close();
  });
});
