import { describe, expect, it } from 'vitest';
import { SlurmSettings } from './backend-settings.ts';

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
