/**
 * Programs that jobs of tests run as processes. A job started by root has a user and a `/tmp` of its own,
 * so it may see neither the clone nor its Node: both are copied to a folder that every user can read.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { buildSync } from 'esbuild';

const EVERYBODY = 0o755;
const isRoot = process.getuid?.() === 0;
const SHARED = isRoot
  ? '/var/cache/dstack-tests'
  : join(tmpdir(), `dstack-tests-${userInfo().uid}`);

/** Path of the Node of the tests. The shell takes it as one word. */
export function jobNode(): string {
  if (isInReach(process.execPath)) return process.execPath;
  const path = join(SHARED, `node-${process.versions.node}`);
  if (!existsSync(path)) publish(path, (draft) => copyFileSync(process.execPath, draft));
  return path;
}

/** A command that runs a TypeScript program of the tests in a job. Its imports are bundled. */
export function jobProgram(source: string): string {
  if (isInReach(source)) return `${jobNode()} ${source}`;
  const { outputFiles } = buildSync({
    ...{ entryPoints: [source], bundle: true, write: false, logLevel: 'error' },
    ...{ platform: 'node', format: 'cjs' },
  });
  const [{ contents } = { contents: new Uint8Array() }] = outputFiles;
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const path = join(SHARED, `${basename(source, '.ts')}-${hash}.cjs`);
  if (!existsSync(path)) publish(path, (draft) => writeFileSync(draft, contents));
  return `${jobNode()} ${path}`;
}

/** Whether jobs see the file, and the shell takes its path as one word. */
function isInReach(path: string): boolean {
  return !isRoot && /^[\w./-]+$/.test(path);
}

/** Makes the file visible when it is complete, since tests of other processes may look for it. */
function publish(path: string, write: (draft: string) => void): void {
  mkdirSync(SHARED, { recursive: true, mode: EVERYBODY });
  const draft = `${path}.${process.pid}`;
  write(draft);
  renameSync(draft, path);
}
