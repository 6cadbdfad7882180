import { existsSync, readFileSync } from 'node:fs';
import type { ModelUse } from '@dstack/store';

/** A line that a crash has cut off was never confirmed. */
export function keptUses(path: string): ModelUse[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as ModelUse];
      } catch {
        return [];
      }
    });
}
