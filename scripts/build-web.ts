/** The web UI, with a compressed copy beside each file that shrinks. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

export function webConfig(root: string): string {
  return join(root, 'packages/web/vite.config.ts');
}

export async function buildWeb(root: string, outdir: string): Promise<void> {
  // Part of the UI's own dependencies.
  const { build } = await import('vite');
  await build({
    configFile: webConfig(root),
    logLevel: 'warn',
    build: { outDir: outdir, emptyOutDir: true },
  });
  const entries = await readdir(outdir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && SHRINKING.test(entry.name));
  await Promise.all(files.map(({ parentPath, name }) => compress(join(parentPath, name))));
}

/** The page is not among them: it is completed for each request. Fonts are compressed already. */
const SHRINKING = /\.(css|js|json|map|svg|txt)$/;

/** Bytes; smaller files fit into one packet anyway. */
const LEAST = 1024;

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

async function compress(path: string): Promise<void> {
  const bytes = await readFile(path);
  if (bytes.length < LEAST) return;
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  const copies = { br: await brotli(bytes, { params }), gz: await zip(bytes, { level: 9 }) };
  for (const [suffix, copy] of Object.entries(copies)) {
    if (copy.length < bytes.length) await writeFile(`${path}.${suffix}`, copy);
  }
}
