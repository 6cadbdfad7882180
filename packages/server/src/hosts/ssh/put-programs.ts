import { HostError, permanent } from '@dstack/ssh';
import { loaderName } from './libraries.ts';
import type { Preflight, ProgramDir } from './preflight.ts';
import type { Program } from './program.ts';
import type { Programs } from './programs.ts';
import { UploadProgress } from './upload-progress.ts';

/** The programs that were copied to a host, and how Node is started there. */
export interface Installed {
  readonly dir: string;
  /** Names of the folders in it that are in use. */
  readonly names: readonly string[];
  /** Arguments without blanks: Node's path, after its own loader if it has one. */
  readonly node: readonly string[];
  /** Path of the agent's program. */
  readonly main: string;
}

/** Time for 50 MB over a slow line. */
const UPLOAD_MS = 15 * 60_000;
/** Space for the next versions, which are copied before the old ones are removed. */
const GENERATIONS = 2;

const UNPACK_NODE =
  'mkdir TARGET.part/bin; gunzip -c > TARGET.part/bin/node; chmod 755 TARGET.part/bin/node';
const UNPACK_TAR = 'gunzip -c | tar -xf - -C TARGET.part';

/**
 * Copies Node and the agent to the host unless they are there already, and finds out how Node runs:
 * with the host's own libraries, else with copied ones. Rejects with a `HostError`.
 */
export async function putPrograms(
  host: Preflight,
  programs: Programs,
  progress: (text: string) => void,
): Promise<Installed> {
  const { arch, libraryProblem: problem } = host;
  // First the part that may be missing for good: Node for another architecture is a large download.
  const libraries = problem === null ? null : await librariesFor(host, programs, problem);
  progress('Preparing Node for the host');
  const [node, agent] = await Promise.all([programs.node(arch), programs.agent()]);
  const wanted = [node, agent, ...(libraries ? [libraries] : [])];
  const dir = chooseDir(host.programDirs, wanted);
  const upload = new UploadProgress(progress);
  upload.expect(wanted.filter(({ name }) => !dir.installed.has(name)));
  await put(host, dir, { program: node, what: 'Node', unpack: UNPACK_NODE, upload });
  await put(host, dir, { program: agent, what: 'the agent', unpack: UNPACK_TAR, upload });
  const runtime = await workingNode(host, programs, dir, { node, libraries, problem }, upload);
  return {
    dir: dir.path,
    names: [node.name, agent.name, ...runtime.names],
    node: runtime.command,
    main: `${dir.path}/${agent.name}/main.js`,
  };
}

interface Parts {
  readonly node: Program;
  readonly libraries: Program | null;
  readonly problem: string | null;
}

async function workingNode(
  host: Preflight,
  programs: Programs,
  dir: ProgramDir,
  { node, libraries, problem }: Parts,
  upload: UploadProgress,
): Promise<{ readonly command: readonly string[]; readonly names: readonly string[] }> {
  const plain = `${dir.path}/${node.name}/bin/node`;
  if (libraries === null) {
    const failure = await whyItFails(host, [plain]);
    if (failure === null) return { command: [plain], names: [] };
    // A suitable glibc without the other libraries of Node; the copied ones are complete.
    const why = `Node does not start there: ${failure}`;
    const parts = { node, problem: why, libraries: await librariesFor(host, programs, why) };
    return await workingNode(host, programs, dir, parts, upload);
  }
  const what = 'libraries for Node';
  await put(host, dir, { program: libraries, what, unpack: UNPACK_TAR, upload });
  const lib = `${dir.path}/${libraries.name}`;
  const command = [`${lib}/${loaderName(host.arch)}`, '--library-path', lib, plain];
  const failure = await whyItFails(host, command);
  if (failure === null) return { command, names: [libraries.name] };
  throw permanent(
    `Node does not run on the host, not even with libraries of its own (${problem}; ${failure})`,
  );
}

async function librariesFor(host: Preflight, programs: Programs, problem: string) {
  try {
    return await programs.libraries(host.arch);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw permanent(`The host cannot run Node by itself (${problem}), and ${error.message}`, error);
  }
}

/** The output of a Node that does not start; null if it starts. */
async function whyItFails(host: Preflight, command: readonly string[]): Promise<string | null> {
  const { code, stdout, stderr } = await host.shell.try(`${command.join(' ')} --version`);
  if (code === 0 && stdout.startsWith('v')) return null;
  return (stderr.trim() || stdout.trim() || `exit code ${code}`).slice(0, 200);
}

/** The first folder with enough space for the missing programs. */
function chooseDir(dirs: readonly [ProgramDir, ...ProgramDir[]], programs: readonly Program[]) {
  const needs = dirs.map((dir) => ({ dir, mib: neededMib(dir, programs) }));
  const fitting = needs.find(({ dir, mib }) => mib === 0 || !(dir.free < mib * 1024));
  if (fitting) return fitting.dir;
  const all = needs.map(
    ({ dir, mib }) => `${Math.floor(dir.free / 1024)} of ${mib} MB in ${dir.path}`,
  );
  throw permanent(
    `The host has too little disk for the agent (free: ${all.join(', ')}): make room there, or mount a larger disk at one of them`,
  );
}

function neededMib({ installed }: ProgramDir, programs: readonly Program[]): number {
  const missing = programs.filter(({ name }) => !installed.has(name));
  const bytes = missing.reduce((sum, { unpacked }) => sum + unpacked, 0);
  return Math.ceil((bytes * GENERATIONS) / 2 ** 20);
}

interface Upload {
  readonly program: Program;
  /** For messages. */
  readonly what: string;
  /** Shell lines that read it. */
  readonly unpack: string;
  readonly upload: UploadProgress;
}

async function put(
  host: Preflight,
  dir: ProgramDir,
  { program, what, unpack, upload }: Upload,
): Promise<void> {
  if (dir.installed.has(program.name)) return;
  const script = [
    'set -e; umask 022; rm -rf TARGET.part; mkdir -p TARGET.part',
    unpack,
    // With SELinux, systemd starts only files that are labelled as programs.
    'if command -v chcon >/dev/null 2>&1; then chcon -R -t bin_t TARGET.part 2>/dev/null || true; fi',
    'rm -rf TARGET; mv TARGET.part TARGET',
  ].join('; ');
  const command = script.replaceAll('TARGET', `${dir.path}/${program.name}`);
  const data = upload.counted(program);
  await host.shell.feed(`Uploading ${what}`, command, data, UPLOAD_MS);
}
