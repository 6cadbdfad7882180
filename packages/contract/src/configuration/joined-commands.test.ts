import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { joinTrap } from './joined-commands.ts';
import { parseConfiguration } from './parse-configuration.ts';

const TRAPS = [
  'cat > f <<EOF\na\nEOF',
  "cat <<'END'\n$x\nEND\n",
  'cat <<-"END"\n\ta\n\tEND',
  'cat <<\\END\na\nEND',
  'make # all of it',
  'make;# x',
];

const HARMLESS = [
  'cat <<EOF\na\nEOF\ntrue',
  'cat <<< word',
  'echo "a # b"',
  "echo 'it # is' x#y $# ${#x}",
  'echo a\\ #b \\\\',
  '# why\nmake',
  'make',
  'make \\',
];

/** Whether the shell runs the command that follows. */
function isFollowed(command: string): boolean {
  const script = `make() { :; }\n${command.trim()} && echo followed`;
  const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8', cwd: '/' });
  return stdout.trimEnd().endsWith('followed') && !stdout.includes('&& echo');
}

describe('commands joined by &&', () => {
  it.each(TRAPS.filter((text) => !text.includes('> f')))('%j swallows the next one', (command) => {
    expect([isFollowed(command), joinTrap(command)]).toEqual([false, expect.any(String)]);
  });

  it.each(HARMLESS.filter((text) => !text.includes('<<<')))('%j does not', (command) => {
    expect([isFollowed(command), joinTrap(command)]).toEqual([true, null]);
  });

  it('warn at a command that swallows the next one, and not at the last one', () => {
    const yaml = (rest: string) =>
      `type: task\ncommands:\n  - |\n    cat > f <<EOF\n    a\n    EOF\n${rest}`;
    const warnings = (text: string) => {
      const parsed = parseConfiguration(text, 'configuration');
      return parsed.ok ? parsed.warnings : parsed.errors;
    };
    expect(warnings(yaml(''))).toEqual([]);
    expect(warnings(yaml('  - make\n'))).toEqual([
      expect.objectContaining({ path: 'commands.0', message: expect.stringContaining("'EOF'") }),
    ]);
    const dev = 'type: dev-environment\nide: vscode\ninit: ["make # it"]\n';
    expect(warnings(dev)).toEqual([expect.objectContaining({ path: 'init.0' })]);
  });
});
