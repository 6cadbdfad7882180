import type { CommandSummary } from '../../command-summaries.ts';

type Commands = readonly CommandSummary[];

/**
 * The scripts run `dstack __complete <words>` and show its answers, except for the names of commands,
 * which they contain. `:files` in the answer stands for names of files. If the command fails, nothing
 * is completed.
 */
export function bashScript(commands: Commands): string {
  return `# dstack completion for bash
_dstack() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" answer
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ] && [[ $cur != -* ]]; then
    COMPREPLY=($(compgen -W "${names(commands)}" -- "$cur"))
    return
  fi
  local -a words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  # bash takes --name=value as three words.
  local last=$((COMP_CWORD - 1))
  if [ "$cur" = '=' ]; then
    words=("\${words[@]:0:last-1}" "\${words[last-1]}=")
  elif [ "$last" -ge 2 ] && [ "\${words[last-1]}" = '=' ]; then
    words=("\${words[@]:0:last-2}" "\${words[last-2]}=$cur")
  fi
  # Not by compgen -W, which would carry out what is in the words.
  while IFS= read -r answer; do
    answer=\${answer%%$'\\t'*}
    [[ \${words[\${#words[@]}-1]} == --*=* ]] && answer=\${answer#*=}
    if [ "$answer" = :files ]; then
      compopt -o filenames 2>/dev/null
      COMPREPLY+=($(compgen -f -- "$cur"))
    elif [ -n "$answer" ]; then
      COMPREPLY+=("$answer")
    fi
  done <<< "$(dstack __complete "\${words[@]}" 2>/dev/null)"
}
complete -F _dstack dstack
`;
}

export function zshScript(commands: Commands): string {
  const described = commands.map((c) => `'${c.name}:${c.summary.replace(/[:']/g, '')}'`);
  return `#compdef dstack
# dstack completion for zsh
_dstack() {
  local -a shown
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    shown=(
      ${described.join('\n      ')}
    )
    _describe command shown
    return
  fi
  local answer value text
  for answer in "\${(@f)$(dstack __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $answer == :files ]]; then
      _files
      return
    fi
    [[ -n $answer ]] || continue
    value=\${answer%%$'\\t'*}
    text=\${answer#*$'\\t'}
    [[ $text == $answer ]] && text=
    # A colon separates the value from its description.
    shown+=("\${value//:/\\\\:}\${text:+:$text}")
  done
  (( $#shown )) && _describe value shown
}
if [[ \${funcstack[1]} == _dstack ]]; then
  # Loaded by the completion system from a directory of fpath.
  _dstack "$@"
else
  # Evaluated in .zshrc, perhaps before the completion system was started there.
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }
  compdef _dstack dstack
fi
`;
}

export function fishScript(commands: Commands): string {
  const lines = commands.map(
    (c) =>
      `complete -c dstack -n __dstack_needs_command -f -a ${c.name} -d '${c.summary.replaceAll("'", '')}'`,
  );
  return `# dstack completion for fish
function __dstack_answers
  dstack __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
function __dstack_needs_command
  test (count (commandline -opc)) -eq 1; and not string match -q -- '-*' (commandline -ct)
end
function __dstack_complete
  set -l answers (__dstack_answers)
  if test "$answers[1]" = :files
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $answers
  end
end
complete -c dstack -f
${lines.join('\n')}
complete -c dstack -n 'not __dstack_needs_command' -f -k -a '(__dstack_complete)'
`;
}

function names(commands: Commands): string {
  return commands.map((c) => c.name).join(' ');
}
