import { spawn } from 'node:child_process';
import type { Cli } from '../context.ts';

/** Callers print the URL too, so a computer without a browser is not an error. */
export function openBrowser(url: string, cli: Pick<Cli, 'env'>): boolean {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  if (program === 'xdg-open' && !cli.env.DISPLAY && !cli.env.WAYLAND_DISPLAY) return false;
  const child = spawn(program, [url], { stdio: 'ignore', detached: true });
  child.once('error', () => {});
  child.unref();
  return true;
}
