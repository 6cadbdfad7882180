import { appendFileSync, cpSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The product with one byte of the agent changed. */
export function newerBuild(): string {
  const root = resolve(import.meta.dirname, '..');
  const copy = join(root, 'dist', `newer-${process.pid}`);
  for (const part of ['bin', 'dist/cli', 'dist/server', 'dist/agent']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  appendFileSync(join(copy, 'dist', 'agent', 'main.js'), '// newer\n');
  return copy;
}
