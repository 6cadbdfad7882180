/** Finds the program of nginx and its modules on this computer. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { modulesFolder, PLAIN_MODULES } from './plain-configuration.ts';

const PROGRAMS = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/nginx/sbin/nginx'];

/** Path of the program; null = it is not installed. */
export const findNginx = (): string | null => PROGRAMS.find((path) => existsSync(path)) ?? null;

/** The output of `nginx -V`: its version, and how it was built. */
export const nginxBuild = (program: string): string =>
  spawnSync(program, ['-V'], { encoding: 'utf8' }).stderr;

/** Whether its version is this one or a later one. */
export function isNginxFrom(program: string, wanted: readonly number[]): boolean {
  const numbers = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(nginxBuild(program)) ?? [];
  const found = numbers.slice(1).map(Number);
  const at = wanted.findIndex((part, n) => found[n] !== part);
  return at === -1 || (found[at] ?? 0) > (wanted[at] ?? 0);
}

/** Paths of the modules for Lua in their order; none if nginx contains them. Null = they are not installed. */
export function luaModules(program: string): string[] | null {
  const build = nginxBuild(program);
  if (/lua-nginx-module/.test(build)) return [];
  const paths = PLAIN_MODULES.map((name) => `${modulesFolder(build)}/${name}`);
  return paths.every((path) => existsSync(path)) ? paths : null;
}
