import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../host/durable-file.ts';
import { generateHostKey, isKey, publicKeyOf } from './host-key.ts';

/**
 * The host key of all jobs, which is made when it is needed first. An unreadable key was never used,
 * so a new one may replace it.
 */
export function hostKey(stateDir: string): string {
  const path = join(stateDir, 'ssh-host-key');
  const known = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (isKey(known)) return known;
  const made = generateHostKey();
  writeDurably(path, made);
  return made;
}

/** The public half of the host key, by which clients verify the agent. */
export function publicHostKey(stateDir: string): string {
  return publicKeyOf(hostKey(stateDir));
}
