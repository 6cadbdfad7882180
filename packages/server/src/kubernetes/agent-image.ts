/**
 * The image that brings the agent into pods, in the form of `docker save`: Node with its own loader and
 * libraries, the agent, and a program that copies them into the volume of the pod.
 */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { type Arch, loaderName } from '../hosts/ssh/libraries.ts';
import type { Program } from '../hosts/ssh/program.ts';
import { type TarFile, tarOf } from '../hosts/ssh/tar.ts';

export interface ImagePrograms {
  node(arch: Arch): Promise<Program>;
  libraries(arch: Arch): Promise<Program>;
  agent(): Promise<Program>;
}

/** Where the programs are in the image, and where the volume of the pod is. */
const FROM = 'dstack-agent';
const TO = '/dstack';

const COPY = `import { cpSync, writeFileSync } from 'node:fs';
for (const name of ['lib', 'agent', 'node']) cpSync('/${FROM}/' + name, '${TO}/' + name, { recursive: true });
writeFileSync('${TO}/ready', '');
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
    programs.libraries(arch).then(filesIn),
    programs.agent().then(filesIn),
  ]);
  const loader = libraries.find(({ name }) => name === loaderName(arch));
  if (!loader) throw new Error(`the libraries contain no ${loaderName(arch)}`);
  const inside = (folder: string, files: readonly TarFile[]) =>
    files.map((file) => ({ ...file, name: `${FROM}/${folder}/${file.name}` }));
  return [
    ...inside('lib', [...libraries, { ...loader, name: 'ld.so' }]),
    ...inside('agent', agent),
    { name: `${FROM}/node`, bytes: node },
    { name: `${FROM}/copy.mjs`, bytes: Buffer.from(COPY) },
  ];
}

async function unpacked(program: Program): Promise<Buffer> {
  return await buffer(program.open().pipe(createGunzip()));
}

async function filesIn(program: Program): Promise<TarFile[]> {
  const files: TarFile[] = [];
  const archive = extract();
  const read = (async () => {
    for await (const entry of archive) {
      files.push({ name: entry.header.name, bytes: await buffer(entry) });
    }
  })();
  await pipeline(program.open(), createGunzip(), archive);
  await read;
  return files;
}
