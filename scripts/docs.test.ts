/** Tests the documentation and the skill files as readers use them: what they copy must work. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import {
  configurationJsonSchema,
  type DocumentKind,
  parseConfiguration,
  profilesJsonSchema,
  serverConfigJsonSchema,
} from '@dstack/contract';
import { API_ERRORS } from '@dstack/contract/api';
import {
  INSTANCE_TERMINATION_REASONS,
  JOB_TERMINATION_REASONS,
  RUN_TERMINATION_REASONS,
} from '@dstack/contract/status';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { startFakeServer } from '../packages/cli/src/testing/fake-server.ts';
import { hostileRoutes } from '../packages/cli/src/testing/hostile-answers.ts';
import { runCommand, serverEnv, withDirectory } from '../packages/cli/src/testing/run-command.ts';
import { TOOLS } from '../packages/mcp/src/tools/index.ts';
import { commandLines, errorOf } from './docs/commands.ts';
import { firstParagraph } from './docs/doc-pages.ts';
import { COMPLETE, PROFILES, SERVER_CONFIG } from './docs/examples.ts';
import { JSON_SHAPES } from './docs/json-shapes.ts';
import { llmsText } from './docs/llms.ts';
import { references } from './docs/references.ts';
import type { Schema } from './docs/schema-reference.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

const guides = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs', name));
const skills = readdirSync(join(root, 'skills')).map((name) => join('skills', name, 'SKILL.md'));
const files = ['README.md', 'SECURITY.md', ...guides, ...skills];

let generated: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  generated = await references();
});

/** Fenced YAML, and complete configurations that are indented by four. */
function configurations(text: string): string[] {
  const fenced = [...text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, yaml = '']) => yaml);
  const blocks: string[][] = [];
  let inside = false;
  for (const line of text.split('\n')) {
    const own = line.startsWith('    ') ? line.slice(4) : line;
    if (line !== own && /^type: [a-z-]+$/.test(own)) {
      blocks.push([]);
      inside = true;
    }
    if (inside && line === own && line !== '') inside = false;
    if (inside) blocks.at(-1)?.push(own);
  }
  return [...fenced, ...blocks.map((lines) => lines.join('\n'))];
}

function kindOf(yaml: string): DocumentKind | null {
  if (/^type: /m.test(yaml)) return 'configuration';
  if (/^profiles:/m.test(yaml)) return 'profiles';
  return /^projects:/m.test(yaml) ? 'server-config' : null;
}

const found = files.flatMap((file) =>
  configurations(read(file)).map((yaml) => [file, yaml.split('\n', 3).join(' · '), yaml] as const),
);

describe('configurations', () => {
  it('are found', () => {
    expect(new Set(found.map(([file]) => file)).size).toBeGreaterThan(10);
  });

  it.each(found)('of %s can be applied: %s', (_file, _head, yaml) => {
    expect(parseDocument(yaml).errors).toEqual([]);
    const kind = kindOf(yaml);
    if (kind === null) return;
    const answer = parseConfiguration(yaml, kind);
    expect(answer.ok ? [] : answer.errors).toEqual([]);
  });

  it.each([
    ...Object.entries(COMPLETE).map(([name, yaml]) => [name, 'configuration', yaml] as const),
    ['profiles', 'profiles', PROFILES] as const,
    ['config.yml', 'server-config', SERVER_CONFIG] as const,
  ])('with all keys are accepted: %s', (_name, kind, yaml) => {
    const answer = parseConfiguration(yaml, kind);
    expect(answer.ok ? [] : answer.errors).toEqual([]);
  });
});

describe('commands', () => {
  const lines = files.flatMap((file) =>
    commandLines(read(file)).map((call) => [file, call.line, call] as const),
  );

  it('are found', () => {
    expect(lines.length).toBeGreaterThan(150);
  });

  it.each(lines)('of %s are accepted by the program: %s', async (_file, _line, call) => {
    expect(await errorOf(call)).toBeNull();
  });
});

it.each(files)('JSON of %s is valid', (file) => {
  const texts = [...read(file).matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, text = '']) => text);
  for (const text of texts) expect(() => JSON.parse(text)).not.toThrow();
});

describe('links', () => {
  it.each(files)('of %s lead to files and headings that exist', (file) => {
    const missing = [...read(file).matchAll(/(?<!!)\[[^\]]+\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^(https?:|mailto:|\/)/.test(target) && !leadsSomewhere(file, target));
    expect(missing).toEqual([]);
  });
});

function leadsSomewhere(file: string, target: string): boolean {
  const [path = '', part] = target.split('#');
  const at = path === '' ? file : normalize(join(dirname(file), path));
  const reference = /^docs\/reference\/([\w-]+)\.md$/.exec(at)?.[1];
  const text =
    reference !== undefined
      ? generated[reference]
      : existsSync(join(root, at))
        ? at.endsWith('.md')
          ? read(at)
          : ''
        : undefined;
  if (text === undefined) return false;
  return part === undefined || headings(text).includes(part);
}

/** Returns the names that GitHub and the site give to headings. */
function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}

describe('references', () => {
  it.each([
    ['configurations', configurationJsonSchema()],
    ['profiles', profilesJsonSchema()],
    ['server-config', serverConfigJsonSchema()],
  ] as const)('of %s describe every key', (name, given) => {
    const schema = given as Schema;
    const models = Object.entries(schema.$defs ?? {}).filter(([model]) => !/^Preset/.test(model));
    const bare = [['', schema] as const, ...models].flatMap(([model, { properties = {} }]) =>
      Object.entries(properties)
        .filter(([, property]) => !property.description)
        .map(([key]) => `${model}.${key}`),
    );
    expect(bare).toEqual([]);
    const lines = generated[name]?.split('\n') ?? [];
    const broken = lines.filter(
      (line) => line.startsWith('| ') && line.split(/(?<!\\)\|/).length < 4,
    );
    expect(broken).toEqual([]);
  });

  it('have every command, every call of the API and an example of most keys', () => {
    expect(generated.cli).toContain('## dstack fleet delete');
    expect(generated['http-api']).toContain('`POST /api/project/{project_name}/runs/get_plan`');
    expect(generated.configurations).toContain('| `idle_duration` | ');
    expect(generated.json).toContain('| `dstack ps --json` |');
    const rows =
      generated.configurations?.split('\n').filter((line) => /^\| [`*]/.test(line)) ?? [];
    const bare = rows.filter((row) => !row.includes('<br>`'));
    expect(bare.length / rows.length).toBeLessThan(0.2);
  });
});

describe('JSON of commands', () => {
  it.each(Object.entries(JSON_SHAPES))(
    'has the keys that are described: %s',
    async (name, shape) => {
      const server = await startFakeServer(hostileRoutes());
      await withDirectory(async (home) => {
        const argv = [...name.split(' '), ...(shape.args ?? []), '--json'];
        const { out } = await runCommand(argv, { env: serverEnv(server.url), home, cwd: home });
        const text = shape.isLines ? out.slice(0, out.indexOf('\n')) : out;
        expect(Object.keys(JSON.parse(text)).sort()).toEqual(Object.keys(shape.keys).sort());
      });
    },
  );
});

it('troubleshooting has every error code and every reason of an end', () => {
  const text = read('docs/troubleshooting.md');
  const codes = [
    ...Object.keys(API_ERRORS),
    ...JOB_TERMINATION_REASONS,
    ...RUN_TERMINATION_REASONS,
    ...INSTANCE_TERMINATION_REASONS,
  ];
  expect(codes.filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
});

it('every variable that the server reads is described', () => {
  const source = read('packages/server/src/settings/variable-warnings.ts');
  const [, known = ''] = /const KNOWN = names\(`([\s\S]*?)`\)/.exec(source) ?? [];
  const text = guides.map(read).join('\n');
  const internal = ['DSTACK_AGENT_NODE', 'DSTACK_SIM'];
  const missing = known.split(/\s+/).filter((name) => name && !text.includes(`\`${name}\``));
  expect(missing.filter((name) => !internal.includes(name))).toEqual([]);
});

it.each(guides)('%s begins with a sentence about the page', (file) => {
  expect(firstParagraph(read(file))).toMatch(/\.(\s|$)/);
});

it('the list of pages for agents has all pages of the site, with what they are about', async () => {
  const pages = [{ id: 'runs', path: '', title: 'Runs', summary: 'A run is one application.' }];
  const groups = [{ label: 'Concepts', items: [{ slug: 'runs' }, { slug: 'not-built' }] }];
  expect(llmsText(pages, groups)).toMatch(
    /\n## Concepts\n\n- \[Runs\]\(\/docs\/runs\.md\): A run is one application\.\n$/,
  );
});

it('every tool of the MCP server is described', () => {
  const text = read('docs/agents.md');
  expect(TOOLS.map(({ name }) => name).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

it('the site has every page in its navigation', async () => {
  const { sidebar } = (await import('../docs/site/sidebar.mjs' as string)) as {
    readonly sidebar: readonly { readonly items: readonly { readonly slug: string }[] }[];
  };
  const shown = sidebar.flatMap(({ items }) => items.map(({ slug }) => slug)).sort();
  const pages = guides.map((file) => file.replace(/^docs\/|\.md$/g, ''));
  const all = [...pages, 'security', ...Object.keys(generated).map((name) => `reference/${name}`)];
  expect(shown).toEqual(all.filter((page) => page !== 'architecture').sort());
});
