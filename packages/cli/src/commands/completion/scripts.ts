import type { CommandSummary } from '../../command-summaries.ts';

type Commands = readonly CommandSummary[];

/**
 * The scripts contain the commands and run `dstack __complete <words>` for the rest: options,
 * sub-commands, names of runs and other entities. If that fails, nothing is completed.
 */
export function bashScript(commands: Commands): string {
  return `# dstack completion for bash
_dstack() {
  local cur="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names(commands)}" -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    -f|--file) COMPREPLY=($(compgen -f -X '!*.y*ml' -- "$cur") $(compgen -d -- "$cur")); return ;;
  esac
  local answer
  COMPREPLY=()
  # Not by compgen -W, which would carry out what is in the words.
  while IFS= read -r answer; do
    [ -z "$answer" ] || COMPREPLY+=("$answer")
  done <<< "$(dstack __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)"
}
complete -o default -F _dstack dstack
`;
}

export function zshScript(commands: Commands): string {
  const described = commands.map((c) => `'${c.name}:${c.summary.replace(/[:']/g, '')}'`);
  return `#compdef dstack
# dstack completion for zsh
_dstack() {
  if (( CURRENT == 2 )); then
    local -a commands=(
      ${described.join('\n      ')}
    )
    _describe command commands
    return
  fi
  case "\${words[CURRENT-1]}" in
    -f|--file) _files -g '*.y*ml'; return ;;
  esac
  local -a answers=("\${(@f)$(dstack __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a answers
}
compdef _dstack dstack
`;
}

export function fishScript(commands: Commands): string {
  const lines = commands.map(
    (c) =>
      `complete -c dstack -n __fish_use_subcommand -f -a ${c.name} -d '${c.summary.replaceAll("'", '')}'`,
  );
  return `# dstack completion for fish
${lines.join('\n')}
complete -c dstack -n 'not __fish_use_subcommand' -f -a '(dstack __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
complete -c dstack -s f -l file -r -F
`;
}

function names(commands: Commands): string {
  return commands.map((c) => c.name).join(' ');
}
