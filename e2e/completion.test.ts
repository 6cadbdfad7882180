import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyFleet,
  dstack,
  isRunning,
  newInstallation,
  submit,
  untilRun,
} from './installation.ts';

/** Command lines, and the completions that a shell offers for their last word. */
const TABLE: readonly (readonly [line: string, expected: readonly string[]])[] = [
  ['dstack vali', ['validate']],
  ['dstack fleet ge', ['get']],
  ['dstack ps --wat', ['--watch']],
  ['dstack ps -o ', ['json', 'name', 'table', 'wide', 'yaml']],
  ['dstack wait sleeper --for ', ['done', 'running']],
  ['dstack ssh ', ['sleeper']],
  ['dstack logs ', ['sleeper']],
  ['dstack exec ', ['sleeper']],
  ['dstack port-forward sl', ['sleeper']],
  ['dstack cost --by ', ['day', 'fleet', 'gpu', 'project', 'run', 'user']],
  ['dstack init --template h', ['hello']],
  ['dstack user remove ', ['admin']],
  ['dstack project member r', ['remove', 'role']],
  ['dstack cp slee', ['sleeper.dstack.yml']],
  ['dstack ps --project ', ['main']],
  ['dstack --project ', ['main']],
  ['dstack apply --fleet ', ['default']],
  ['dstack token create ci --scope ma', ['manager']],
  ['dstack apply -f sleeper', ['sleeper.dstack.yml']],
  ['dstack completion ', ['bash', 'fish', 'zsh']],
  ['dstack ps --f', []],
  ['dstack nonsense ', []],
];

/** Calls the function of the script as bash does, for each line of the input. */
const BASH = `
eval "$(dstack completion bash)"
while IFS= read -r line; do
  echo "> $line"
  read -ra COMP_WORDS <<< "$line"
  [[ $line == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
  _dstack 2>/dev/null
  printf '%s\\n' "\${COMPREPLY[@]}"
done
`;

/** The functions by which zsh shows answers print them instead. */
const ZSH = `
autoload -Uz compinit && compinit -i -D
eval "$(dstack completion zsh)"
_describe() { local -a shown=("\${(@P)2}"); print -l -- "\${(@)shown%%:*}" }
_files() { print -l -- \${words[CURRENT]}*(N) }
while IFS= read -r line; do
  print -r -- "> $line"
  words=("\${(@s: :)line}")
  CURRENT=$#words
  for value in "\${(@f)$(_dstack)}"; do
    [[ $value == \${words[CURRENT]}* ]] && print -r -- $value
  done
done
`;

const FISH = `
dstack completion fish | source
while read -l line
  echo "> $line"
  complete -C "$line" | string replace -r '\\t.*' ''
end
`;

const shells = [
  ['bash', ['--norc', '-c', BASH]],
  ['zsh', ['-f', '-c', ZSH]],
  ['fish', ['--no-config', '-c', FISH]],
] as const;

const isThere = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;

describe('completion', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home);
    await submit(home, 'sleeper', ['sleep 100000']);
    await untilRun(home, 'sleeper', isRunning);
  });
  afterAll(() => home.dispose());

  function run(shell: string, args: readonly string[], input = ''): string {
    const env = { ...home.env, PATH: `${dirname(dstack)}:${home.env.PATH}`, TERM: 'dumb' };
    const options = { env, cwd: home.home, input, encoding: 'utf8' } as const;
    return spawnSync(shell, [...args], options).stdout;
  }

  /** The answers for each line, sorted. */
  function answers(shell: string, args: readonly string[], lines: readonly string[]) {
    const blocks = run(shell, args, `${lines.join('\n')}\n`)
      .split(/^> /m)
      .slice(1);
    return blocks.map((block): [string, string[]] => {
      const [line = '', ...found] = block.split('\n');
      const words = found.map((word) => word.trim()).filter((word) => word !== '');
      return [line, words.toSorted()];
    });
  }

  for (const [shell, args] of shells) {
    if (!isThere(shell))
      console.warn(`Completion is NOT tested in ${shell}, which is not installed`);
    it.skipIf(!isThere(shell))(`in ${shell} offers what fits the position`, () => {
      const lines = TABLE.map(([line]) => line);
      expect(Object.fromEntries(answers(shell, args, lines))).toEqual(Object.fromEntries(TABLE));
    });
  }

  it.skipIf(!isThere('zsh'))('starts the completion system of zsh if .zshrc has not', () => {
    const script = 'eval "$(dstack completion zsh)"; print $+functions[compdef] $_comps[dstack]';
    expect(run('zsh', ['-f', '-c', script]).trim()).toBe('1 _dstack');
  });

  it.skipIf(!isThere('zsh'))('can be loaded from a directory of fpath by zsh', () => {
    const directory = join(home.home, 'functions');
    mkdirSync(directory);
    writeFileSync(join(directory, '_dstack'), run(dstack, ['completion', 'zsh']));
    const script = `fpath=(${directory} $fpath); autoload -Uz compinit && compinit -i -D; print $_comps[dstack]`;
    expect(run('zsh', ['-f', '-c', script]).trim()).toBe('_dstack');
  });
});
