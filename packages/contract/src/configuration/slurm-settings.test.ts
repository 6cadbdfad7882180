import { describe, expect, it } from 'vitest';
import { SlurmSettings } from './backend-settings.ts';
import { parseConfiguration } from './parse-configuration.ts';

const isAccepted = (settings: unknown): boolean => SlurmSettings.safeParse(settings).success;

const HOSTILE = [
  'gpu\n#SBATCH --uid=0',
  'gpu\r#SBATCH --wrap=id',
  'gpu; touch /tmp/evil',
  '$(id)',
  '`id`',
  'gpu --uid=root',
  "gpu'",
  'gpu"',
  'a\\b',
  'gpu\n',
  '\u0000',
  '/etc/passwd',
  '~/x',
  '<x',
  'ü',
];

describe('options of Slurm', () => {
  it.each(HOSTILE)('are single words, and never %j', (text) => {
    for (const name of ['partition', 'account', 'qos', 'time_limit', 'constraint', 'reservation']) {
      expect([name, isAccepted({ [name]: text })]).toEqual([name, false]);
    }
    expect(isAccepted({ options: { exclude: text } })).toBe(false);
  });

  it.each(['uid', 'gid', 'wrap', 'output', 'error', 'input', 'chdir', 'export', 'export-file'])(
    'do not include %s, which names a user, a file or a program',
    (name) => {
      expect(isAccepted({ options: { [name]: 'x' } })).toBe(false);
    },
  );

  it.each(['get-user-env', 'prolog', 'bbf', 'batch', 'requeue', 'open-mode', 'exclude=a --uid'])(
    'have no further name %s',
    (name) => {
      expect(isAccepted(JSON.parse(`{"options": {"${name}": "x"}}`))).toBe(false);
    },
  );
});

describe('the time limit of a Slurm job', () => {
  const yamlOf = (time: string) =>
    `type: task\ncommands: [x]\nbackend_settings:\n  slurm:\n    time_limit: ${time}\n`;
  const read = (time: string) => {
    const parsed = parseConfiguration(yamlOf(time), 'configuration');
    if (!parsed.ok) return parsed.errors;
    const { value } = parsed;
    return value.type === 'task' ? value.backend_settings?.slurm?.time_limit : null;
  };

  it.each([
    ['12h', '12:00:00'],
    ['90m', '01:30:00'],
    ['2d', '2-00:00:00'],
    ['1w', '7-00:00:00'],
    ['90', '90'],
    ['"12:00:00"', '12:00:00'],
    ['2-00:00:00', '2-00:00:00'],
    ['UNLIMITED', 'UNLIMITED'],
  ])('of %s is passed to Slurm as %s', (time, expected) => {
    expect(read(time)).toBe(expected);
  });

  it.each(['12:00:00', '1:30'])(
    'is refused by name as %s, which YAML reads as a number',
    (time) => {
      const error = { path: 'backend_settings.slurm.time_limit', line: 5, column: 5 };
      expect(read(time)).toEqual([expect.objectContaining(error)]);
      expect(JSON.stringify(read(time))).toContain(`'${time}'`);
    },
  );

  it.each(['12 hours', '1h30m', '100000d', ''])('is not %j', (time) => {
    expect(read(JSON.stringify(time))).toEqual([expect.objectContaining({ line: 5 })]);
  });
});
