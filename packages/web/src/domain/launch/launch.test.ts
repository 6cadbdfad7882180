import { ValidationError } from '@dstack/client';
import { configurationJsonSchema } from '@dstack/contract';
import { describe, expect, it } from 'vitest';
import { commandNotes } from './command-notes.ts';
import { completionsAt } from './completion.ts';
import { readSource } from './configuration-source.ts';
import { cursorPlace } from './cursor-path.ts';
import { ConfigurationSchema } from './json-schema.ts';
import { schemaProblems } from './schema-problems.ts';
import { serverProblems } from './server-problems.ts';

const schema = new ConfigurationSchema(configurationJsonSchema());

/** `|` is the cursor. */
function at(marked: string) {
  return [marked.replace('|', ''), marked.indexOf('|')] as const;
}

describe('the place of the cursor', () => {
  it.each([
    ['ty|', [], 'key', null],
    ['type: ta|', [], 'value', 'type'],
    ['type: task\nresources:\n  g|', ['resources'], 'key', null],
    ['resources:\n  gpu:\n    na|', ['resources', 'gpu'], 'key', null],
    ['resources:\n  gpu: 1\n  me|', ['resources'], 'key', null],
    ['resources:\n  gpu: 1\nco|', [], 'key', null],
    ['volumes:\n  - na|', ['volumes', 0], 'key', null],
    ['volumes:\n- name: a\n  pa|', ['volumes', 0], 'key', null],
    ['probes:\n  - type: h|', ['probes', 0], 'value', 'type'],
  ] as const)('%j', (marked, path, kind, key) => {
    expect(cursorPlace(...at(marked))).toMatchObject({ path, kind, key });
  });

  it.each(['# ty|', 'commands:\n  - |\n    echo |'])('is none in %j', (marked) => {
    const offset = marked.lastIndexOf('|');
    const place = cursorPlace(marked.slice(0, offset), offset);
    expect(place === null || !place.path.includes('echo')).toBe(true);
  });
});

describe('completions', () => {
  const labels = (marked: string) =>
    completionsAt(schema, ...at(marked))?.options.map(({ label }) => label) ?? [];

  it('are the keys of the schema where a key is typed, and its words where a value is', () => {
    expect(labels('type: task\n|')).toContain('commands');
    expect(labels('type: task\n|')).not.toContain('replicas');
    expect(labels('type: service\n|')).toContain('replicas');
    expect(labels('type: task\nresources:\n  |')).toEqual(
      expect.arrayContaining(['gpu', 'cpu', 'memory', 'disk', 'shm_size']),
    );
    expect(labels('type: task\nresources:\n  gpu:\n    |')).toContain('compute_capability');
    expect(labels('type: |')).toEqual(['task', 'service', 'dev-environment']);
    expect(labels('type: task\nspot_policy: |')).toEqual(
      expect.arrayContaining(['spot', 'on-demand', 'auto']),
    );
    expect(labels('type: task\nprivileged: |')).toEqual(['true', 'false']);
  });
});

describe('problems of a text', () => {
  const problems = (text: string) => {
    const source = readSource(text);
    if (source.kind === 'invalid') return [source.problem];
    return schemaProblems(schema, source.value, source.lineOf);
  };

  it('are found at their lines', () => {
    expect(problems('type: task\nresources: {gpu: 1}\ncomands: [x]\n')).toMatchObject([
      { line: 3, message: 'comands: is not a known key: did you mean `commands`?' },
    ]);
    expect(problems('type: task\nresources:\n  gpus: 1\n')[0]).toMatchObject({
      line: 3,
      message: 'resources.gpus: is not a known key: did you mean `gpu`?',
    });
    expect(problems('type: task\nspot_policy: never\n')[0]?.message).toMatch(/must be one of/);
    expect(problems('type: fleet\n')[0]).toMatchObject({ line: 1 });
    expect(problems('name: x\n')[0]?.message).toMatch(/type: is missing/);
    expect(problems('type: task\ncommands: [\n')[0]?.line).toBeGreaterThan(1);
    const time = 'type: task\nbackend_settings:\n  slurm:\n    time_limit: ';
    expect(problems(`${time}12:00:00\n`)).toMatchObject([
      { line: 4, message: expect.stringMatching(/^backend_settings.slurm.time_limit: .*'12h'$/) },
    ]);
    expect(problems(`${time}"12:00:00"\n`)).toEqual([]);
    expect(problems('- a\n')[0]?.message).toMatch(/map of keys/);
    expect(problems('type: task\npython: 3.12\nenv:\n  - A=1\ncommands:\n  - true\n')).toEqual([]);
  });

  it('do not include commands that swallow the next one, which are noted', () => {
    const heredoc = 'cat > x <<EOF\nhi\nEOF\n';
    const notes = (more: object) => commandNotes({ type: 'task', ...more });
    expect(notes({ commands: [heredoc, 'echo after'] })).toEqual([
      expect.stringMatching(/^commands\.0 ends with 'EOF' of a heredoc/),
    ]);
    expect(notes({ commands: ['echo before', heredoc] })).toEqual([]);
    expect(notes({ commands: [heredoc, 'x'], entrypoint: 'sh' })).toEqual([]);
  });

  it('of the server are put at the lines of their keys', () => {
    const source = readSource('type: task\nenv:\n  - A\nresources:\n  gpu: bad\n');
    if (source.kind === 'invalid') throw new Error(source.problem.message);
    const body = {
      detail: [
        {
          loc: ['body', 'run_spec', 'configuration', 'task', 'resources', 'gpu'],
          msg: "Value error, has an empty part in 'bad'",
        },
        { msg: 'env: the variable A has no value' },
      ],
    };
    const answer = { request: '', status: 422, code: null, fields: [], body, requestId: null };
    expect(serverProblems(new ValidationError('x', answer), source.lineOf)).toMatchObject([
      { line: 5, message: "resources.gpu: has an empty part in 'bad'" },
      { line: 2, message: 'env: the variable A has no value' },
    ]);
  });
});
