import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JobFailure, JobUnknown } from '../executor/job-failure.ts';
import { executorAt, sleepingJob } from '../testing/docker-jobs.ts';
import type { DockerExecutor } from './docker-executor.ts';

describe('a Docker daemon that takes requests', () => {
  let dir: string;
  let server: Server;
  let answer: RequestListener;
  let executor: DockerExecutor;
  /** Requests without their answer. */
  let open: Set<string>;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'daemon-'));
    open = new Set();
    answer = () => {};
    server = createServer((request, response) => {
      const { method, url } = request;
      const text = `${method} ${url} ${randomUUID()}`;
      // One answer lasts as long as the daemon, which so shows when it ends.
      if (!url?.includes('/events')) open.add(text);
      response.once('close', () => open.delete(text));
      answer(request, response);
    });
    const socketPath = join(dir, 'docker.sock');
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    executor = executorAt(new Docker({ socketPath }), dir, 30);
  });
  afterEach(async () => {
    executor.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(dir, { recursive: true });
  });

  it('and answers none costs no connection for each attempt to adopt, sweep or remove', async () => {
    const job = sleepingJob(dir);
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(executor.adopt(job)).rejects.toBeInstanceOf(JobUnknown);
      await expect(executor.remove(job)).rejects.toThrow('has not answered');
    }
    await executor.sweep(new Set());
    await vi.waitFor(() => expect([...open]).toEqual([]));
  });

  it.each([
    ['has an error of its own leaves open whether the job runs', 500, 'broken', JobUnknown],
    ['refuses them will refuse them again', 400, 'client version is too old', JobFailure],
  ])('and %s', async (_, status, message, kind) => {
    answer = (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message }));
    };
    const error = await executor.adopt(sleepingJob(dir)).catch((one) => one);
    expect([error.constructor, error.message]).toEqual([kind, expect.stringContaining(message)]);
  });
});
