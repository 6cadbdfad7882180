import { readFileSync } from 'node:fs';

export interface WebUser {
  readonly name: string;
  readonly group: number;
}

/** Users that distributions create for nginx, and one that exists everywhere. */
const NAMES = ['www-data', 'nginx', 'http', 'nobody'];

/** The user of nginx's workers; null = this process is not root, and nginx runs as its user. */
export function webUser(): WebUser | null {
  if (process.getuid?.() !== 0) return null;
  const rows = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of NAMES) {
    const fields = rows.find((row) => row.startsWith(`${name}:`))?.split(':');
    if (fields) return { name, group: Number(fields[3]) };
  }
  throw new Error(`this host has none of the users ${NAMES.join(', ')} for nginx`);
}
