/** Builds the site of the documentation, with its references, from the folder `docs`. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { docPages } from './docs/doc-pages.ts';
import { llmsText, type PageGroup } from './docs/llms.ts';
import { writeReferences } from './docs/references.ts';

/**
 * The site's own packages, which no other build needs: they are installed from its lock file, once for
 * each version of it.
 */
async function installSite(site: string): Promise<void> {
  const lock = await readFile(join(site, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  const mark = join(site, 'node_modules', '.installed');
  const installed = await readFile(mark, 'utf8').catch(() => null);
  if (installed === hash) return;
  console.log('Installing the packages of docs/site…');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--workspaces=false'], site, {});
  await writeFile(mark, hash);
}

/** `outdir`: an empty folder. */
export async function buildDocs(root: string, outdir: string): Promise<void> {
  const site = join(root, 'docs', 'site');
  const generated = join(site, '.generated');
  await rm(generated, { recursive: true, force: true });
  await writeReferences(join(generated, 'reference'));
  await installSite(site);
  const astro = join(site, 'node_modules', 'astro', 'bin', 'astro.mjs');
  run(process.execPath, [astro, 'build', '--outDir', outdir], site, {
    ASTRO_TELEMETRY_DISABLED: '1',
    DSTACK_DOCS_GENERATED: generated,
  });
  await addSources(root, { site, generated, outdir });
}

async function navigation(site: string): Promise<readonly PageGroup[]> {
  const { sidebar } = (await import(join(site, 'sidebar.mjs'))) as {
    readonly sidebar: readonly PageGroup[];
  };
  return sidebar;
}

/** The Markdown of each page beside it, for AI agents. */
async function addSources(
  root: string,
  {
    site,
    generated,
    outdir,
  }: { readonly site: string; readonly generated: string; readonly outdir: string },
): Promise<void> {
  const pages = await docPages(root, generated);
  for (const { id, path } of pages) {
    const target = join(outdir, `${id}.md`);
    await mkdir(dirname(target), { recursive: true });
    const text = await readFile(path, 'utf8');
    await writeFile(target, id === 'security' ? fromRoot(text) : toSecurity(text));
  }
  await writeFile(join(outdir, 'llms.txt'), llmsText(pages, await navigation(site)));
  if ((await readdir(outdir)).includes('index.html')) return;
  throw new Error('the site has no index.html');
}

/** The page of SECURITY.md is beside the others. */
function fromRoot(text: string): string {
  return text.replaceAll('](docs/', '](');
}

function toSecurity(text: string): string {
  return text.replaceAll('](../SECURITY.md', '](security.md');
}

function run(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): void {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (status === 0) return;
  throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
}
