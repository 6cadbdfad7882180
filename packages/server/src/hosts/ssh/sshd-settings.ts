import type { HostShell } from './host-shell.ts';

/** The needed features of an sshd, as its configuration calls them. */
export type SshdOption = 'AllowTcpForwarding' | 'AllowStreamLocalForwarding';

/** Files that sshd may read: the usual ones, and the one that it was started with (`-f`). */
const READ = `
files="/etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf"
for about in /proc/[0-9]*/cmdline; do
  file=$(tr '\\0' ' ' < "$about" 2>/dev/null | sed -n 's/.*sshd.* -f  *\\([^ ]*\\).*/\\1/p')
  [ -z "$file" ] || files="$file $files"
done
grep -nHiE '^[[:space:]]*(OPTION|DisableForwarding)[[:space:]]' $files 2>/dev/null || true
`;

const ALLOWING = /\s(yes|all|local)\s*$/i;

/** The change that makes an sshd allow a feature, as a sentence's end; names the line if it can. */
export async function howToAllow(shell: HostShell, option: SshdOption): Promise<string> {
  const { stdout } = await shell.try(READ.replaceAll('OPTION', option));
  const line = forbiddingLine(stdout);
  if (line === null) {
    return `set \`${option} yes\` in its sshd_config and reload sshd; if that is so, look for restrictions of the key in authorized_keys`;
  }
  const instead = /^DisableForwarding/i.test(line.text) ? 'DisableForwarding no' : `${option} yes`;
  return `${line.file}, line ${line.number}, contains \`${line.text}\`: change it to \`${instead}\` and reload sshd`;
}

/** The first line that forbids it, of `file:line:text`. */
function forbiddingLine(output: string) {
  for (const found of output.split('\n')) {
    const [, file, number, rest = ''] = /^([^:]*):(\d+):(.*)$/.exec(found) ?? [];
    const text = rest.trim();
    const disables = /^DisableForwarding\s+yes/i.test(text);
    const allows = ALLOWING.test(text) || /^DisableForwarding/i.test(text);
    if (file && number && (disables || !allows)) return { file, number, text };
  }
  return null;
}
