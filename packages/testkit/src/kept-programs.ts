/**
 * The compressed Node that servers make for hosts: it takes seconds of a processor, and is the same
 * for every server of one build. Installations pass it on in `.cache/programs`.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const KEPT = resolve(import.meta.dirname, '..', '..', '..', '.cache', 'programs');
const WHOLE = /^node-[\w-]+\.gz$/;

/** Gives a server that has started what another one has made. */
export function copyPrograms(serverDir: string): void {
  passOn(KEPT, join(serverDir, 'cache'));
}

export function keepPrograms(serverDir: string): void {
  passOn(join(serverDir, 'cache'), KEPT);
}

function passOn(from: string, to: string): void {
  const names = existsSync(from) ? readdirSync(from).filter((name) => WHOLE.test(name)) : [];
  for (const name of names) {
    mkdirSync(to, { recursive: true, mode: 0o700 });
    if (!existsSync(join(to, name))) pass(join(from, name), join(to, name));
  }
}

function pass(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EXDEV') copyFileSync(from, to);
    else if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
  }
}
