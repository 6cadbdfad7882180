import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PullProgress } from '@dstack/contract/agent';
import Docker from 'dockerode';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { type Ensured, ensureImage, type PullRequest } from './image-pull.ts';

/** An Engine that answers inspections and pulls as a test requires. */
let dir: string;
let engine: Server;
let present: boolean;
let onPull: (response: ServerResponse, request: IncomingMessage) => void;
let progress: PullProgress[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'engine-'));
  present = false;
  progress = [];
  engine = createServer((request, response) => {
    if (request.method === 'POST') return onPull(response, request);
    response.writeHead(present ? 200 : 404).end('{"message":"No such image"}');
  });
  await new Promise<void>((resolve) => engine.listen(join(dir, 's'), resolve));
});
afterEach(async () => {
  engine.closeAllConnections();
  await new Promise((resolve) => engine.close(resolve));
  rmSync(dir, { recursive: true });
});

function ensure(image: string, more: Partial<PullRequest> = {}): Promise<Ensured> {
  const docker = new Docker({ socketPath: join(dir, 's') });
  const { signal } = new AbortController();
  const onProgress = (each: PullProgress): number => progress.push(each);
  return ensureImage(
    docker,
    { image, auth: null, onProgress, signal, ...more },
    createEventLogger(() => {}),
  );
}

function sendTo(response: ServerResponse, message: object): void {
  response.write(`${JSON.stringify(message)}\r\n`);
}

it('contacts no registry for a present image', async () => {
  present = true;
  onPull = () => expect.unreachable();
  await ensure('img:1');
});

it('pulls, with the credentials of the run, and reports the progress', async () => {
  let auth: unknown;
  onPull = (response, request) => {
    const header = String(request.headers['x-registry-auth']);
    auth = JSON.parse(Buffer.from(header, 'base64').toString());
    sendTo(response, { status: 'Pulling fs layer', id: 'a' });
    sendTo(response, { status: 'Downloading', id: 'a', progressDetail: { current: 5, total: 10 } });
    sendTo(response, { status: 'Pull complete', id: 'a' });
    response.end(JSON.stringify({ status: 'Status: Downloaded newer image' }));
  };
  await ensure('ghcr.io/team/img:1', { auth: { username: 'u', password: 'p' } });
  expect(auth).toMatchObject({ username: 'u', password: 'p', serveraddress: 'ghcr.io' });
  expect(progress.at(-1)).toEqual({
    downloaded_bytes: 10,
    extracted_bytes: 10,
    total_bytes: 10,
    is_total_bytes_final: true,
  });
});

it("fails with the registry's message and the name of the image", async () => {
  onPull = (response) => response.end(JSON.stringify({ error: 'manifest unknown' }));
  await expect(ensure('img:1')).rejects.toMatchObject({
    reason: 'creating_container_error',
    message: 'pullImage error: img:1: manifest unknown',
  });
});

it("fails with only the Engine's message if it refuses the pull", async () => {
  onPull = (response) => response.writeHead(500).end('{"message":"connection refused"}');
  await expect(ensure('img:1')).rejects.toMatchObject({
    message: 'pullImage error: img:1: connection refused',
  });
});

it('gives up a pull without further progress', async () => {
  onPull = (response) => sendTo(response, { status: 'Pulling fs layer', id: 'a' });
  await expect(ensure('img:1', { stallMs: 50 })).rejects.toThrow('no progress for 0.05 s');
});

it('gives up a pull without any progress', async () => {
  onPull = () => {};
  await expect(ensure('img:1', { stallMs: 50 })).rejects.toThrow('no progress for 0.05 s');
});

it('does not count an interrupted stream as a complete image', async () => {
  onPull = (response) => response.end(JSON.stringify({ status: 'Downloading', id: 'a' }));
  await expect(ensure('img:1')).rejects.toThrow('ended before the image was complete');
});

it('uses an old copy of a moving tag if the registry cannot be reached', async () => {
  present = true;
  onPull = (response) => response.writeHead(500).end('{"message":"connection refused"}');
  await ensure('img');
  expect(await ensure('img')).toBe('there');
});

it('ends when the job is stopped', async () => {
  const controller = new AbortController();
  onPull = (response) => {
    sendTo(response, { status: 'Pulling fs layer', id: 'a' });
    controller.abort();
  };
  await expect(ensure('img:1', { signal: controller.signal })).rejects.toThrow('aborted');
});

it('ends when the job is stopped before the registry has answered', async () => {
  const controller = new AbortController();
  onPull = () => controller.abort();
  await expect(ensure('img:1', { signal: controller.signal })).rejects.toThrow('aborted');
});
