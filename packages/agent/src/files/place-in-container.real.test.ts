import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzz } from '@dstack/testkit/fuzz';
import Docker from 'dockerode';
import fc from 'fast-check';
import { extract, type Header } from 'tar-stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ContainerJob } from '../docker/container-job.ts';
import { JobFailure } from '../executor/job-failure.ts';
import { JobFolder } from '../executor/job-folder.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { bytesOf, hostileTar, tarOf } from '../testing/hostile-tar.ts';
import { placeInContainer } from './place-in-container.ts';

/** An Engine with an empty container, whose answer to files a test controls. */
let dir: string;
let engine: Server;
let onFiles: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'engine-'));
  engine = createServer((request, response) => {
    if (request.method === 'PUT') return onFiles(request, response);
    response.writeHead(404).end('{"message":"Could not find the file"}');
  });
  await new Promise<void>((resolve) => engine.listen(join(dir, 's'), resolve));
});
afterEach(async () => {
  engine.closeAllConnections();
  await new Promise((resolve) => engine.close(resolve));
  rmSync(dir, { recursive: true });
});

/** Puts archives, by their paths, into the container. */
async function place(
  files: Readonly<Record<string, Buffer>>,
  signal = new AbortController().signal,
  container = 'c',
): Promise<void> {
  const places = Object.keys(files);
  const file_archives = places.map((path, index) => ({ id: String(index), path, sha256: '' }));
  const spec = jobSpec([], { file_archives });
  const folder = new JobFolder(dir, spec.id, dir);
  mkdirSync(folder.uploads, { recursive: true });
  for (const { id, path } of file_archives) {
    await writeFile(folder.archive(id), files[path] ?? '');
  }
  const planned: ContainerJob = {
    job: { spec, folder, cluster: null, gpus: [] },
    image: {
      ...{ id: 'sha256:1', user: '', workingDir: '/', env: [], hasCommand: true },
      ...{ passwd: '', group: '', profile: null },
    },
    user: { username: 'root', uid: 0, gid: 0, home: '/root', shell: null, groups: [] },
    ...{ workingDir: '/', repoDir: null, env: {}, madeWorkingDir: false },
  };
  const docker = new Docker({ socketPath: join(dir, 's') });
  try {
    await placeInContainer(docker.getContainer(container), planned, signal);
  } finally {
    rmSync(folder.path, { recursive: true });
  }
}

/** More bytes than the buffers in between hold. */
const BIG = { '/data': tarOf([{ name: 'data', content: 'x'.repeat(8_000_000) }]) };

it('fails with the message of an Engine that refuses the files before it has read them all', async () => {
  onFiles = (_, response) => {
    response.writeHead(500).end('{"message":"no space left on device"}');
  };
  await expect(place(BIG)).rejects.toMatchObject({
    reason: 'creating_container_error',
    message: 'putFiles error: no space left on device',
  });
});

it('fails when the Engine dies over it', async () => {
  onFiles = (request) => request.once('data', () => request.destroy());
  await expect(place(BIG)).rejects.toBeInstanceOf(JobFailure);
});

it('ends when the job is stopped, though the Engine reads no further', async () => {
  const controller = new AbortController();
  onFiles = () => controller.abort(new Error('stopped'));
  await expect(place(BIG, controller.signal)).rejects.toThrow('stopped');
});

/** The entries that the Engine receives for a container. */
function takeFiles(container = 'c'): Header[] {
  const headers: Header[] = [];
  onFiles = (request, response) => {
    // Arrives late, for a container whose files have already failed.
    if (!request.url?.includes(`/${container}/`)) return void response.destroy();
    const entries = extract();
    entries.on('entry', (header: Header, content, next) => {
      headers.push(header);
      content.resume().on('end', next);
    });
    entries.on('finish', () => response.end());
    entries.on('error', () => response.destroy());
    request.pipe(entries);
  };
  return headers;
}

it('does not let one archive lead the next one into a mounted directory', async () => {
  takeFiles();
  const leading = tarOf([
    { name: 'top', kind: '5' },
    { name: 'top/out', kind: '2', to: '/mounted' },
  ]);
  const files = { '/a': leading, '/a/out/x': tarOf([{ name: 'top' }]) };
  await expect(place(files)).rejects.toThrow('/a/out/x lies behind /a/out, a link or a file');
});

it('creates, for any archive, only files below its target, behind no link', async () => {
  let count = 0;
  await fuzz(
    'archives in a container',
    fc.asyncProperty(hostileTar('/outside'), hostileTar('/outside'), async (one, two) => {
      const container = `c-${++count}`;
      const headers = takeFiles(container);
      const files = { '/place/x': bytesOf(one), '/place/x/link/y': bytesOf(two) };
      const failed = await place(files, undefined, container).catch((error: unknown) => error);
      if (failed) expect(failed).toBeInstanceOf(JobFailure);
      const kinds = new Map<string, string>();
      for (const { name, type, mode = 0, linkname } of headers) {
        const path = name.replace(/\/$/, '');
        expect(path).toMatch(/^(place(\/x(\/|$)|$)|dstack(\/|$)|etc\/profile$)/);
        expect(path.split('/')).not.toContain('..');
        const above = path.split('/').slice(0, -1);
        above.forEach((_, index) => {
          const dir = above.slice(0, index + 1).join('/');
          expect(kinds.get(dir) ?? 'directory').toBe('directory');
        });
        if (type === 'link') expect(kinds.get(linkname ?? '')).toMatch(/^(file|link)$/);
        if (type !== 'symlink') expect(mode & ~0o777).toBe(0);
        kinds.set(path, type ?? '');
      }
    }),
  );
});
