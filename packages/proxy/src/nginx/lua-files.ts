/** The files in Lua, as they are shipped beside this program. */
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAMES = [
  ...['plain.lua', 'policy.lua', 'clock.lua', 'routes.lua', 'heads.lua', 'callers.lua'],
  ...['replicas.lua', 'counting.lua', 'control.lua', 'certificates.lua', 'answers.lua'],
  ...['linger.lua', 'crowd.lua'],
];
const PREFIX = 'lua-';

function sources(): ReadonlyMap<string, string> {
  return new Map(
    NAMES.map((name) => [name, readFileSync(new URL(`./${name}`, import.meta.url), 'utf8')]),
  );
}

/** Writes them where nginx may read them, and returns the folder, whose name depends on what they contain. */
export function luaFolder(runtime: string): string {
  const files = sources();
  const digest = hash('sha256', [...files.values()].join('\n')).slice(0, 16);
  const folder = join(runtime, `${PREFIX}${digest}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const [name, text] of files) {
    const path = join(folder, name);
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
      writeFileSync(path, text, { mode: 0o644 });
    }
  }
  return folder;
}

/** While no nginx runs that might read them. */
export function removeOtherLua(runtime: string, folder: string): void {
  for (const name of readdirSync(runtime)) {
    const path = join(runtime, name);
    if (name.startsWith(PREFIX) && path !== folder) rmSync(path, { recursive: true, force: true });
  }
}
