import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import Docker from 'dockerode';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ContainerJob } from '../docker/docker-executor.ts';
import { JobFailure } from '../jobs/executor.ts';
import { JobFolder } from '../jobs/job-folder.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { placeInContainer } from './place-in-container.ts';

/** Stands for an Engine with an empty container that takes files as a test wants it. */
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

/** A job that brings more along than fits into the buffers on the way. */
async function place(signal = new AbortController().signal): Promise<void> {
  const file_archives = [{ id: 'big', path: '/data', sha256: '' }];
  const spec = jobSpec([], { file_archives });
  const folder = new JobFolder(dir, spec.id, dir);
  mkdirSync(folder.uploads, { recursive: true });
  const archive = pack();
  archive.entry({ name: 'data' }, Buffer.alloc(8_000_000));
  archive.finalize();
  await writeFile(folder.archive('big'), await buffer(archive));
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
  await placeInContainer(docker.getContainer('c'), planned, signal);
}

it('fails in the words of an Engine that refuses the files before it has read them all', async () => {
  onFiles = (_, response) => {
    response.writeHead(500).end('{"message":"no space left on device"}');
  };
  await expect(place()).rejects.toMatchObject({
    reason: 'creating_container_error',
    message: 'putFiles error: no space left on device',
  });
});

it('fails when the Engine dies over it', async () => {
  onFiles = (request) => request.once('data', () => request.destroy());
  await expect(place()).rejects.toBeInstanceOf(JobFailure);
});

it('ends when the job is stopped, though the Engine reads no further', async () => {
  const controller = new AbortController();
  onFiles = () => controller.abort(new Error('stopped'));
  await expect(place(controller.signal)).rejects.toThrow('stopped');
});
