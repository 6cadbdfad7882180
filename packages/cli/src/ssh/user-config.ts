import { join } from 'node:path';
import { readIfThere } from '../config/config-file.ts';

/** The settings of a host in `~/.ssh/config`. */
export interface SshHostSettings {
  readonly hostName: string | null;
  readonly port: string | null;
  readonly identityFile: string | null;
}

/** Looks a host up in the user's OpenSSH configuration; the first value of a keyword counts. */
export async function lookUpHost(host: string, home: string): Promise<SshHostSettings | null> {
  const text = await readIfThere(join(home, '.ssh', 'config'));
  return text === null ? null : findHost(text, host, home);
}

export function findHost(text: string, host: string, home: string): SshHostSettings | null {
  let applies = false;
  let matched = false;
  let hostName: string | null = null;
  let port: string | null = null;
  let identityFile: string | null = null;
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*?)\s*$/.exec(line);
    if (match === null) continue;
    const keyword = (match[1] ?? '').toLowerCase();
    const value = (match[2] ?? '').replace(/^"(.*)"$/, '$1');
    if (keyword === 'match') applies = false;
    else if (keyword === 'host') applies = matchesPatterns(host, value.split(/\s+/));
    if (!applies) continue;
    matched = true;
    if (keyword === 'hostname') hostName ??= value.replaceAll('%h', host);
    if (keyword === 'port') port ??= value;
    if (keyword === 'identityfile') identityFile ??= value.replace(/^~(?=\/)/, home);
  }
  return matched ? { hostName, port, identityFile } : null;
}

function matchesPatterns(host: string, patterns: readonly string[]): boolean {
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    const source = (negated ? pattern.slice(1) : pattern)
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    if (!new RegExp(`^${source}$`).test(host)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}
