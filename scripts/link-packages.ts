/** Links packages that were added since the last `npm ci`: a pull alone is enough to work with them. */
import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

export function linkPackages(root: string): void {
  const scope = join(root, 'node_modules', '@dstack');
  if (!existsSync(scope)) return;
  for (const name of readdirSync(join(root, 'packages'))) {
    const link = join(scope, name);
    if (existsSync(link)) continue;
    try {
      symlinkSync(join('..', '..', 'packages', name), link);
    } catch (error) {
      // Another process has made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
