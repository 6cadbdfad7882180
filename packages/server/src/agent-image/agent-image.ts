/**
 * The image that brings the agent into pods, in the form of `docker save`: Node with its own loader and
 * libraries, the agent, and a program that copies them into the volume of the pod.
 */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { type Arch, loaderName } from '../hosts/ssh/libraries.ts';
import type { Program } from '../hosts/ssh/program.ts';
import { filesIn, type TarFile, tarOf } from '../hosts/ssh/tar.ts';

export interface ImagePrograms {
  node(arch: Arch): Promise<Program>;
  libraries(arch: Arch): Promise<Program>;
  agent(): Promise<Program>;
}

/** Where the programs are in the image, and where the volume of the pod is. */
const FROM = 'dstack-agent';
const TO = '/dstack';

/**
 * Without an argument, copies the programs into the volume of a pod. With the folder of a node, copies
 * them into a folder of this version there, and leads `current` to it when they are complete: pods
 * that run keep theirs.
 */
const COPY = `import { cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
const [, , node] = process.argv;
const copy = (to) => {
  for (const name of ['lib', 'agent', 'node']) cpSync('/${FROM}/' + name, to + '/' + name, { recursive: true });
};
if (node === undefined) {
  copy('${TO}');
  writeFileSync('${TO}/ready', '');
} else {
  const id = readFileSync('/${FROM}/id', 'utf8');
  const part = node + '/part-' + id;
  if (!existsSync(node + '/' + id)) {
    rmSync(part, { recursive: true, force: true });
    copy(part);
    renameSync(part, node + '/' + id);
  }
  rmSync(node + '/next', { force: true });
  symlinkSync(id, node + '/next');
  renameSync(node + '/next', node + '/current');
}
`;

const PLATFORMS: Readonly<Record<Arch, string>> = { x64: 'amd64', arm64: 'arm64' };

/** An archive for `docker load` and `ctr image import`. */
export async function agentImage(
  programs: ImagePrograms,
  { arch, name }: { readonly arch: Arch; readonly name: string },
): Promise<Buffer> {
  const layer = await tarOf(await filesOf(programs, arch));
  const id = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  const lib = `/${FROM}/lib`;
  const config = {
    ...{ architecture: PLATFORMS[arch], os: 'linux' },
    config: {
      Entrypoint: [`${lib}/ld.so`, '--library-path', lib, `/${FROM}/node`, `/${FROM}/copy.mjs`],
    },
    rootfs: { type: 'layers', diff_ids: [id] },
  };
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }];
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  return await tarOf([
    { name: 'manifest.json', bytes: json(manifest) },
    { name: 'config.json', bytes: json(config) },
    { name: 'layer.tar', bytes: layer },
  ]);
}

async function filesOf(programs: ImagePrograms, arch: Arch): Promise<TarFile[]> {
  const [node, libraries, agent] = await Promise.all([
    programs.node(arch).then(unpacked),
    programs.libraries(arch).then((program) => filesIn(program.open())),
    programs.agent().then((program) => filesIn(program.open())),
  ]);
  const loader = libraries.find(({ name }) => name === loaderName(arch));
  if (!loader) throw new Error(`the libraries contain no ${loaderName(arch)}`);
  const inside = (folder: string, files: readonly TarFile[]) =>
    files.map((file) => ({ ...file, name: `${FROM}/${folder}/${file.name}` }));
  const files = [
    ...inside('lib', [...libraries, { ...loader, name: 'ld.so' }]),
    ...inside('agent', agent),
    { name: `${FROM}/node`, bytes: node },
    { name: `${FROM}/copy.mjs`, bytes: Buffer.from(COPY) },
  ];
  return [...files, { name: `${FROM}/id`, bytes: Buffer.from(idOf(files)) }];
}

/** The same for the same files. */
function idOf(files: readonly TarFile[]): string {
  const hash = createHash('sha256');
  for (const { name, bytes } of files) hash.update(`${name} ${bytes.length}\n`).update(bytes);
  return hash.digest('hex').slice(0, ID_DIGITS);
}

const ID_DIGITS = 16;

async function unpacked(program: Program): Promise<Buffer> {
  return await buffer(program.open().pipe(createGunzip()));
}
