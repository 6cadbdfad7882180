import { configurationJsonSchema } from '@dstack/contract';
import { expect, it } from 'vitest';
import { fieldsOf, readField, writeField } from './form-fields.ts';
import { ConfigurationSchema } from './json-schema.ts';

const schema = new ConfigurationSchema(configurationJsonSchema());
const TEXT = `# mine
type: task
commands:
  - echo a # noted
env:
  - A=1
resources:
  gpu: H100:8
`;

const field = (...path: string[]) => ({
  path,
  label: '',
  lines: path[0] === 'commands' || path[0] === 'env',
});

it('shows the common keys that the type has', () => {
  const names = (type: 'task' | 'service') => fieldsOf(schema, type).map(({ path }) => path[0]);
  expect(names('task')).toContain('nodes');
  expect(names('task')).not.toContain('port');
  expect(names('service')).toContain('replicas');
});

it('reads and writes single keys, and leaves the rest as it is written', () => {
  expect(readField(TEXT, field('resources', 'gpu'))).toBe('H100:8');
  expect(readField(TEXT, field('env'))).toBe('A=1');
  expect(readField(TEXT, field('name'))).toBe('');
  expect(readField('resources:\n  gpu:\n    name: H100\n', field('resources', 'gpu'))).toBeNull();
  const named = writeField(TEXT, field('name'), 'train');
  expect(named).toBe(`${TEXT}name: train\n`);
  expect(writeField(TEXT, field('resources', 'gpu'), '')).not.toContain('resources');
  expect(writeField(TEXT, field('commands'), 'one\ntwo: 2')).toContain('  - one\n  - "two: 2"');
  expect(writeField('type: task\n', field('resources', 'cpu'), '4')).toBe(
    'type: task\nresources:\n  cpu: 4\n',
  );
});
