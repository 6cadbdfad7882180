import { readFile } from 'node:fs/promises';

/** Device of the topmost mount at a path, as `major:minor`; null = nothing is mounted there. */
export async function deviceOfMount(path: string): Promise<string | null> {
  return mountedDevice(await readFile('/proc/self/mountinfo', 'utf8'), path);
}

/**
 * From the text of `/proc/self/mountinfo`, where a line is `<id> <parent> <major:minor> <root> <mount
 * point> …`, and space, tab, line break and backslash are written as octal numbers.
 */
export function mountedDevice(table: string, path: string): string | null {
  const lines = table.split('\n').map((line) => line.split(' '));
  const found = lines.findLast(([, , , , point]) => point !== undefined && plain(point) === path);
  return found?.[2] ?? null;
}

const plain = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)));
