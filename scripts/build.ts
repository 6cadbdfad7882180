/**
 * Builds the product: `dist/cli`, `dist/server` and `dist/agent`, each a few ES modules that need
 * only Node, and `dist/web`, the web UI. `npm run build -- [cli|server|agent|web|docs …]` builds only
 * those named; `docs` is the site of the documentation.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type OnResolveArgs, type Plugin } from 'esbuild';
import { terminalAddOns } from './add-ons.ts';
import { buildDocs } from './build-docs.ts';
import { buildWeb, webConfig } from './build-web.ts';
import { linkPackages } from './link-packages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
linkPackages(root);
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  version: string;
};

/**
 * Native add-ons that libraries load optionally (`ssh2`, `pg`): replaced by a module that throws,
 * which these libraries handle. Our own are loaded by path at run time and are not affected.
 */
const withoutAddOns: Plugin = {
  name: 'without-add-ons',
  setup({ onLoad, onResolve }) {
    const absent = { namespace: 'absent' };
    onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, ...absent }));
    onResolve({ filter: /^(cpu-features|pg-native)$/ }, ({ path }) => ({ path, ...absent }));
    onLoad({ filter: /.*/, ...absent }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not part of this bundle`)});`,
    }));
  },
};

/**
 * Importing our libraries has no side effects, so unused parts are left out. Otherwise one constant
 * of the contract would pull all of its schemas into the start of every command.
 */
const pureLibraries: Plugin = {
  name: 'pure-libraries',
  setup({ onResolve, resolve }) {
    const pure = async ({ path, importer, resolveDir, kind, pluginData }: OnResolveArgs) => {
      if (pluginData === 'resolved') return null;
      const found = await resolve(path, { importer, resolveDir, kind, pluginData: 'resolved' });
      return { path: found.path, errors: found.errors, sideEffects: false };
    };
    onResolve(
      { filter: /^@dstack\/(client|contract|core|mcp|proxy|server|ssh|store)(\/|$)/ },
      pure,
    );
    // Otherwise a library whose index is used would bring all that its files import.
    onResolve({ filter: /^\.\.?\/.*\.ts$/ }, (args) =>
      /\/packages\/(proxy|ssh)\/src\//.test(args.importer) ? pure(args) : null,
    );
  },
};

/**
 * Importing one of these by name reads all its exports, and some of them load more: that of `node:http`
 * called `WebSocket` a whole HTTP client, half of the time that a small program needs to start, and that of
 * `node:tls` called `rootCertificates` all certificates.
 */
const withoutUnusedExports: Plugin = {
  name: 'without-unused-exports',
  setup({ onLoad, onResolve }) {
    const lean = { namespace: 'lean' };
    onResolve({ filter: /^(node:)?(crypto|http|net|tls|util)$/ }, ({ path }) => ({
      path: `node:${path.replace('node:', '')}`,
      ...lean,
    }));
    onLoad({ filter: /.*/, ...lean }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

interface Bundle {
  readonly entries: Readonly<Record<string, string>>;
  /**
   * Entries that share no files with others. A shared file contains all that any of its programs needs: the main
   * process of a gateway would load the HTTP client of its workers.
   */
  readonly apart?: Readonly<Record<string, string>>;
  readonly define?: Readonly<Record<string, string>>;
  /** Files that are shipped with the bundle: target name → absolute path, or path from the root. */
  readonly files?: Readonly<Record<string, string>>;
}

const bundles: Readonly<Record<string, Bundle>> = {
  cli: {
    entries: { main: 'packages/cli/src/main.ts' },
    define: { __DSTACK_VERSION__: JSON.stringify(version) },
  },
  server: {
    // The main program finds the side programs in its own folder by these names.
    entries: {
      main: 'packages/server/src/main.ts',
      template: 'packages/proxy/src/models/template-main.ts',
      'proxy-worker': 'packages/server/src/proxy-workers/worker/worker-main.ts',
    },
    define: {
      NODE_PACKAGE: JSON.stringify(await nodePackage()),
      __DSTACK_VERSION__: JSON.stringify(version),
    },
    files: { 'catalog.csv': 'packages/backends/data/catalog.csv', ...(await luaFiles()) },
  },
  agent: {
    // The main program finds the side programs in its own folder by these names.
    entries: {
      main: 'packages/agent/src/main.ts',
      supervisor: 'packages/agent/src/process/supervisor-main.ts',
      place: 'packages/agent/src/files/place-main.ts',
      'netns-relay': 'packages/agent/src/docker/netns-relay/relay-main.ts',
      sftp: 'packages/agent/src/ssh/sftp/sftp-main.ts',
      'gateway-template': 'packages/proxy/src/models/template-main.ts',
    },
    apart: {
      gateway: 'packages/gateway/src/main.ts',
      'gateway-worker': 'packages/gateway/src/worker/worker-main.ts',
    },
    define: { AGENT_VERSION: JSON.stringify(version) },
    files: {
      ...(await addOnFiles()),
      ...(await luaFiles()),
    },
  },
};

/** The prebuilt add-on of each Linux platform that is installed, or that `scripts/add-ons.ts` has fetched. */
async function addOnFiles(): Promise<Record<string, string>> {
  const present = (await terminalAddOns(root)).filter(({ folder }) => existsSync(folder));
  return Object.fromEntries(
    present.map(({ name, folder }) => [
      `${name.replace('@lydell/node-pty-', 'pty-')}.node`,
      join(folder, 'pty.node'),
    ]),
  );
}

/** The Lua files that nginx of gateways and of the server runs. */
async function luaFiles(): Promise<Record<string, string>> {
  const folder = 'packages/proxy/src/nginx';
  const names = (await readdir(join(root, folder))).filter((name) => name.endsWith('.lua'));
  return Object.fromEntries(names.map((name) => [name, `${folder}/${name}`]));
}

/** The Node for hosts of another architecture, at the version of the lock file. */
async function nodePackage(): Promise<object> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>;
  };
  const [x64, arm64] = ['x64', 'arm64'].map((arch) => {
    const found = lock.packages[`node_modules/node-linux-${arch}`];
    if (found === undefined) throw new Error(`package-lock.json has no node-linux-${arch}`);
    return found;
  });
  return {
    version: x64?.version,
    integrity: { x64: x64?.integrity, arm64: arm64?.integrity },
  };
}

function optionsOf(
  { define }: Bundle,
  entryPoints: Readonly<Record<string, string>>,
  outdir: string,
): BuildOptions {
  return {
    absWorkingDir: root,
    entryPoints: { ...entryPoints },
    outdir,
    bundle: true,
    // Without splitting lazy imports silently become eager ones.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Identifiers stay as they are: stack traces and the names of errors need them, and with `keepNames`
    // every closure that a request makes would be given its name by a call.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'linked',
    define: { ...define },
    banner: { js: BANNER },
    // Its Node entry is CommonJS; a lazy import in a bundle would not see its names.
    alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
    plugins: [withoutAddOns, withoutUnusedExports, pureLibraries],
    logLevel: 'warning',
  };
}

/**
 * CommonJS libraries inside an ES module still call `require` for Node's own modules, and read their
 * own path.
 */
const BANNER =
  "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);const __dirname=import.meta.dirname;const __filename=import.meta.filename;";

/** A command loads fifty small files: what the banner does in each would take a tenth of its time. */
async function withoutUnusedBanners(outdir: string): Promise<void> {
  for (const file of await readdir(outdir)) {
    if (!file.endsWith('.js')) continue;
    const path = join(outdir, file);
    const rest = (await readFile(path, 'utf8')).replace(BANNER, '');
    if (!/\b(?:require|__dirname|__filename)\b/.test(rest)) await writeFile(path, rest);
  }
}

async function buildBundle(name: string): Promise<void> {
  const bundle = bundles[name];
  if (bundle === undefined) {
    const known = [...Object.keys(bundles), WEB, DOCS].join(', ');
    throw new Error(`unknown bundle ${name}; there are: ${known}`);
  }
  await replaced(name, async (outdir) => {
    await build(optionsOf(bundle, bundle.entries, outdir));
    for (const [entry, source] of Object.entries(bundle.apart ?? {})) {
      await build(optionsOf(bundle, { [entry]: source }, outdir));
    }
    await withoutUnusedBanners(outdir);
    for (const [file, source] of Object.entries(bundle.files ?? {})) {
      await copyFile(resolve(root, source), join(outdir, file));
    }
  });
}

/**
 * Builds in another folder, which is moved at the end, so that running programs never load a partial
 * bundle.
 */
async function replaced(name: string, make: (outdir: string) => Promise<void>): Promise<void> {
  const target = join(root, 'dist', name);
  const outdir = `${target}.${process.pid}.new`;
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  await make(outdir);
  // A server that reads the agent meanwhile must find all of its files: a removal takes a while.
  const old = `${target}.${process.pid}.old`;
  if (existsSync(target)) await rename(target, old);
  await rename(outdir, target);
  await rm(old, { recursive: true, force: true });
  console.log(`dist/${name}`);
}

const WEB = 'web';
/** Only by name: its packages are installed for it, and no program needs it. */
const DOCS = 'docs';

const hasWeb = existsSync(webConfig(root));
const everything = [...Object.keys(bundles), ...(hasWeb ? [WEB] : [])];
const chosen = process.argv.slice(2);
for (const name of chosen.length > 0 ? chosen : everything) {
  if (name === DOCS) await replaced(DOCS, (outdir) => buildDocs(root, outdir));
  else if (name === WEB) await replaced(WEB, (outdir) => buildWeb(root, outdir));
  else await buildBundle(name);
}
