import { describe, expect, test } from 'vitest';
import { parseConfiguration } from './parse-configuration.ts';

const TASK = 'type: task\ncommands: [a]\n';
const SERVICE = 'type: service\nimage: a\nport: 80\ncommands: [a]\n';

function findings(text: string): string[] {
  const parsed = parseConfiguration(text, 'configuration');
  const found = parsed.ok ? parsed.warnings : parsed.errors;
  return found.map(({ path, message }) => `${path} ${message}`);
}

describe('switches of YAML where a number or a time is expected', () => {
  test.each([
    ['max_price: on', 'max_price is read by YAML as true, which becomes the number 1'],
    ['priority: yes', 'priority is read by YAML as true, which becomes the number 1'],
    ['priority: no', 'priority is read by YAML as false, which becomes the number 0'],
    ['ports: [on]', 'ports.0 is read by YAML as true, which becomes the number 1'],
    ['resources: {memory: on}', 'resources.memory is read by YAML as true, which becomes'],
    ['retry: {duration: on}', 'retry.duration is read by YAML as true, which means 1 second'],
    ['max_duration: yes', 'max_duration is read by YAML as true, which sets nothing'],
    ['idle_duration: on', 'idle_duration is read by YAML as true, which sets nothing'],
  ])('are noted: %s', (line, message) => {
    expect(findings(TASK + line)).toEqual([expect.stringContaining(message)]);
  });

  test('are noted in the delays of a service', () => {
    const scaling = 'scaling: {metric: rps, target: 1, scale_up_delay: on}';
    expect(findings(`${SERVICE}replicas: 1..2\n${scaling}`)).toEqual([
      expect.stringContaining('scaling.scale_up_delay is read by YAML as true, which means 1'),
    ]);
  });

  test.each(['max_duration: off', 'idle_duration: no', 'retry: {duration: off}', 'retry: on'])(
    'need no note where they are meant: %s',
    (line) => {
      expect(findings(TASK + line)).toEqual([]);
    },
  );
});

describe('text that YAML changes inside a longer form', () => {
  test.each([
    [TASK, 'fleets: [1.10]', "fleets.0 becomes the text '1.1'"],
    [SERVICE, 'model: 1.10', "model becomes the text '1.1'"],
  ])('is noted', (kind, line, message) => {
    expect(findings(kind + line)).toEqual([expect.stringContaining(message)]);
  });

  test.each(['resources: {memory: 8.0}', 'fleets: [main]', 'ports: [80]'])(
    'needs no note where nothing changes: %s',
    (line) => {
      expect(findings(TASK + line)).toEqual([]);
    },
  );
});

describe('a boolean where text is expected', () => {
  test.each(['shell: no', 'regions: [no]', 'env: {A: yes}', 'commands: [off]'])(
    'is refused without advice to write another word: %s',
    (line) => {
      const [found = ''] = findings(`type: task\nimage: a\n${line}\n`);
      expect(found).toContain('put the word in quotes as it is');
      expect(found).not.toMatch(/"(true|false)"/);
    },
  );

  test('names its key in a matrix', () => {
    expect(findings(`${TASK}array: {matrix: {a: [1], b: [on]}}`)).toEqual([
      expect.stringContaining('array.matrix has an invalid value for b: it must be a string'),
    ]);
  });
});
