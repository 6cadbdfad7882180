import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { ContainerOutput } from './container-output.ts';
import { EngineHung } from './host-caused.ts';

/** The parts of a container that its output is read from, controlled by the test. */
class Container {
  readonly attachments: PassThrough[] = [];
  /** Everything that the container has printed, as Docker's log stores it. */
  printed = '';
  running = true;
  /** The answers to the next requests, as soon as the test provides them. */
  daemon: Promise<void> = Promise.resolve();
  asked = 0;

  async attach(): Promise<PassThrough> {
    await this.#ask();
    this.attachments.push(new PassThrough());
    return this.attachments.at(-1) as PassThrough;
  }

  async inspect() {
    await this.#ask();
    return { State: { Running: this.running }, LogPath: '' };
  }

  /** Follows the log to the end of the container, which has ended before the first read. */
  async logs(): Promise<PassThrough> {
    await this.#ask();
    return new PassThrough().end(this.printed);
  }

  print(text: string): void {
    this.printed += text;
    this.attachments.at(-1)?.write(text);
  }

  async #ask(): Promise<void> {
    this.asked += 1;
    await this.daemon;
  }
}

let dir: string;
let container: Container;
let output: ContainerOutput;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'container-output-'));
  container = new Container();
  const log = createEventLogger(() => {});
  output = new ContainerOutput(container as unknown as Docker.Container, dir, [], log);
  await output.attachFresh([]);
});
afterEach(() => {
  output.release();
  rmSync(dir, { recursive: true });
});

async function spooled(): Promise<string> {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < output.spool.end; ) {
    const bytes = (await output.spool.read(offset, 1_000_000))?.bytes ?? new Uint8Array();
    pieces.push(bytes);
    offset += bytes.length;
  }
  return Buffer.concat(pieces).toString();
}

describe('the output of a container whose connection was lost', () => {
  it('is complete when the container ends while it is being attached again', async () => {
    container.print('one\r\n');
    await expect.poll(spooled).toBe('one\r\n');
    const answer = Promise.withResolvers<void>();
    container.daemon = answer.promise;
    const before = container.asked;
    container.attachments[0]?.destroy();
    await expect.poll(() => container.asked).toBeGreaterThan(before);
    container.print('two\r\n');
    const finished = output.finish();
    answer.resolve();
    await finished;
    expect(await spooled()).toBe('one\r\ntwo\r\n');
  });

  it('is complete when the container ends while the daemon refuses to answer', async () => {
    container.print('one\r\n');
    await expect.poll(spooled).toBe('one\r\n');
    container.daemon = Promise.reject(new Error('connection refused'));
    container.daemon.catch(() => {});
    const before = container.asked;
    container.attachments[0]?.destroy();
    await expect.poll(() => container.asked).toBeGreaterThan(before);
    container.print('two\r\n');
    container.running = false;
    container.daemon = Promise.resolve();
    await output.finish();
    expect(await spooled()).toBe('one\r\ntwo\r\n');
  });
});

it('gives up a container to which the daemon does not attach, and closes a late connection', async () => {
  const late = Promise.withResolvers<void>();
  container.daemon = late.promise;
  const log = createEventLogger(() => {});
  const hung = new ContainerOutput(container as unknown as Docker.Container, dir, [], log);
  await expect(hung.attachFresh([], { ms: 1 })).rejects.toThrow(EngineHung);
  hung.release();
  late.resolve();
  await vi.waitFor(() => expect(container.attachments.at(-1)?.destroyed).toBe(true));
});
