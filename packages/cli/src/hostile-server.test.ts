import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMAND_SUMMARIES } from './command-summaries.ts';
import { startFakeServer } from './testing/fake-server.ts';
import { HOSTILE, hostileRoutes, refusingRoutes } from './testing/hostile-answers.ts';
import { type RunOptions, runCommand, serverEnv, withDirectory } from './testing/run-command.ts';

/** Files to apply, by name. */
const FILES: Readonly<Record<string, string>> = {
  'task.yml': 'type: task\nname: tt\ncommands: [a]\n',
  'service.yml': 'type: service\nname: ss\ncommands: [a]\nport: 80\n',
  'dev.yml': 'type: dev-environment\nname: dd\nide: zed\n',
  'fleet.yml': 'type: fleet\nname: ff\nnodes: 1\n',
  'gateway.yml': 'type: gateway\nname: gg\nbackend: aws\nregion: r\ndomain: d.example.org\n',
  'volume.yml': 'type: volume\nname: vv\nbackend: aws\nregion: r\nsize: 1GB\n',
};

const applied = Object.keys(FILES).map((file) => ['apply', '-f', file]);
const runs = applied.slice(0, 3);

/** Command lines that show values of a server in tables, plans, questions or sentences. */
const LINES: readonly (readonly string[])[] = [
  ...applied,
  ...runs.map((line) => [...line, '-y', '-d']),
  ['attach', 'rr', '--logs'],
  ['cost'],
  ['cost', '--by', 'user'],
  ['event'],
  ['backend', 'list'],
  ['backend', 'check'],
  ['explain', 'rr'],
  ['explain', 'fleet', 'rr', '-v'],
  ['export', 'list'],
  ['export', 'create', 'ee', '--importer', 'p', '--fleet', 'f'],
  ['fleet', '-v'],
  ['fleet', 'get', 'ff'],
  ['gateway', '-v'],
  ['gateway', 'delete', 'gg'],
  ['import', 'list'],
  ['instance', '-v'],
  ['instance', 'cordon', 'ii'],
  ['instance', 'drain', 'ii'],
  ['offer'],
  ['offer', '--group-by', 'gpu,backend'],
  ['open', 'rr', '--print'],
  ['project', 'member'],
  ['ps', '-a'],
  ['ps', '-v'],
  ['rollout', 'status', 'rr'],
  ['run', 'get', 'rr'],
  ['quota', 'list'],
  ['quota', 'set', '--limit', 'gpu=1'],
  ['secret', 'list'],
  ['secret', 'get', 'ss'],
  ['stop', 'rr'],
  ['token', 'list'],
  ['token', 'create', 'tt'],
  ['top', '--once'],
  ['queue'],
  ['service', 'rr'],
  ['share'],
  ['usage'],
  ['user', 'list'],
  ['user', 'add', 'nn'],
  ['volume', '-v'],
  ['volume', 'get', 'vv'],
  ['wait', 'rr'],
];

/** Command lines that show an error of a server and none of its values. */
const TERSE: readonly (readonly string[])[] = [
  ['cp', 'task.yml', 'rr:x'],
  ['delete', '-f', 'task.yml'],
  ['doctor'],
  ['exec', 'rr', '--', 'ls'],
  ['fleet', 'delete', 'ff'],
  ['hold', 'rr'],
  ['login', '--url', '$URL'],
  ['logs', 'rr'],
  ['metrics', 'rr'],
  ['port-forward', 'rr', '*:8080'],
  ['preset'],
  ['priority', 'rr', '5'],
  ['project', 'add', '--name', 'main', '--token', 'tt', '--yes', '--url', '$URL'],
  ['release', 'rr'],
  ['rerun', 'rr'],
  ['rollout', 'status', 'rr'],
  ['ssh', 'rr'],
  ['volume', 'delete', 'vv'],
];

/** These commands send no request to the user's server, or print nothing but JSON for a program. */
const SILENT = ['completion', 'init', 'mcp', 'server', 'skill', 'validate'];

/** The sequences that draw blocks in place are our own. */
const DRAWING = /\u001b\[\?25[hl]|\u001b\[\d+A\r\u001b\[J/g;
const STYLES = /\u001b\[(?:[0-9]+(?:;[0-9]+)*)m/g;
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

async function shownBy(
  line: readonly string[],
  routes: ReturnType<typeof hostileRoutes>,
  options: RunOptions = {},
): Promise<string> {
  const fake = await startFakeServer(routes);
  return withDirectory(async (home) => {
    for (const [name, text] of Object.entries(FILES)) await writeFile(join(home, name), text);
    const argv = line.map((word) => (word === '$URL' ? fake.url : word));
    const env = serverEnv(fake.url);
    const { out, err } = await runCommand(argv, { env, home, cwd: home, ...options });
    return out + err;
  });
}

describe('values of a server are printed and never interpreted by the terminal', () => {
  test.each(LINES.map((line) => [line.join(' '), line] as const))('by %s', async (_, line) => {
    const routes = hostileRoutes();
    const off = await shownBy(line, routes, { input: 'n\n' });
    expect(off).not.toMatch(CONTROLS);
    // On a terminal without colour, only blocks drawn in place use escape sequences.
    const bare = ['--color', 'never', ...line];
    const on = await shownBy(bare, routes, { input: 'n\n', terminal: 400 });
    expect(on.replace(DRAWING, '')).not.toMatch(CONTROLS);
    expect(off + on).toContain('\\x1b[2J');
    const coloured = await shownBy(line, routes, { input: 'n\n', terminal: 400 });
    expect(coloured.replace(DRAWING, '').replace(STYLES, '')).not.toMatch(CONTROLS);
    // A colour in a value would look like one of ours.
    expect(coloured).not.toContain('\u001b[31mx');
    expect(coloured.split('\\x1b[31m').length).toBe(coloured.split('\\x1b[2J').length);
  });

  test.each([
    [400, { detail: [{ msg: HOSTILE, code: 'error' }] }],
    [403, { detail: [{ msg: HOSTILE, code: HOSTILE }] }],
    [404, { detail: { msg: HOSTILE, code: HOSTILE } }],
    [422, { detail: [{ loc: ['body', HOSTILE], msg: HOSTILE, type: HOSTILE }] }],
    [500, HOSTILE],
  ])('where every answer is an error %d', async (status, json) => {
    const routes = refusingRoutes(status, json);
    for (const line of [...LINES, ...TERSE]) {
      const shown = await shownBy(line, routes, { input: 'n\n', terminal: 400 });
      expect(shown.replace(DRAWING, '').replace(STYLES, '')).not.toMatch(CONTROLS);
    }
  });

  test('as JSON they are the same values', async () => {
    const out = await shownBy(['ps', '-a', '--json'], hostileRoutes());
    expect(out).not.toMatch(CONTROLS);
    expect(JSON.parse(out).runs[0].run_spec.run_name).toBe(HOSTILE);
  });

  test('every command is covered', () => {
    const walked = new Set([...[...LINES, ...TERSE].map(([name]) => name), ...SILENT]);
    expect(COMMAND_SUMMARIES.map(({ name }) => name).filter((name) => !walked.has(name))).toEqual(
      [],
    );
  });
});
