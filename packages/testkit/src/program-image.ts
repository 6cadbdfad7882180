import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Copies programs of this computer, with all libraries that they need, to the same paths below
 * `root`;
 * `plugins` are libraries that programs load by themselves, `data` is copied unchanged.
 */
export async function copyPrograms(
  root: string,
  programs: readonly string[],
  more: { readonly plugins?: readonly string[]; readonly data?: readonly string[] } = {},
): Promise<void> {
  const { plugins = [], data = [] } = more;
  const libraries = await librariesOf([...programs, ...plugins]);
  const files = new Set([...programs, ...plugins, ...libraries]);
  await run('cp', ['-L', '--parents', ...files, root]);
  if (data.length > 0) await run('cp', ['-rL', '--parents', ...data, root]);
}

/** Resolved like the loader does; a plugin whose library is not installed is not loaded either. */
async function librariesOf(files: readonly string[]): Promise<string[]> {
  const { stdout } = await run('ldd', files as string[], { maxBuffer: 64 * 1024 * 1024 }).catch(
    (error: { stdout: string }) => error,
  );
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
}
