import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../durable-file.ts';
import { generateHostKey } from './private-key.ts';

/** The host key of this agent, made once and kept: all its jobs show the same one. */
export function loadHostKey(stateDir: string): string {
  const path = join(stateDir, 'ssh_host_key');
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = generateHostKey();
  writeDurably(path, key);
  return key;
}
