import { existsSync } from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { withTimeout } from '@dstack/contract/with-timeout';
import type Docker from 'dockerode';
import { nowMicros } from '../host/clock.ts';
import type { EventLogger } from '../host/log.ts';
import { FileSpoolReader } from '../spool/file-spool-reader.ts';
import { SpoolFeed } from '../spool/spool-feed.ts';
import { newestRecord } from '../spool/spool-files.ts';
import { SpoolWriter } from '../spool/spool-writer.ts';
import { engineErrorMessage } from './engine-error.ts';
import { inTime, type Patience } from './in-time.ts';
import { OutputSkip, RecentBytes } from './output-skip.ts';

/** Both copies of the output must have been quiet for this long before one takes over. */
const QUIET_MS = 500;
const RETRY_MS = 500;
const COMPARED_BYTES = 16 * 1024;
/** The daemon flushes its buffers well within this time after the container's end. */
const END_MS = 5000;
const ROTATED_MARK = '\r\n[dstack: some output may be missing here]\r\n';

/**
 * The only reader of a container's output. It drains an attached connection into the spool. After a
 * gap (an agent died, a connection was lost) it reads Docker's log, which contains only complete
 * lines, until the attached connection delivers the same bytes and takes over again.
 */
export class ContainerOutput {
  readonly spool: FileSpoolReader;
  readonly #container: Docker.Container;
  readonly #writer: SpoolWriter;
  readonly #feed: SpoolFeed;
  readonly #log: EventLogger;
  readonly #dir: string;
  #attached: Duplex | null = null;
  #logs: Readable | null = null;
  #quiet: NodeJS.Timeout | null = null;
  #closed = false;
  #finishing = false;
  /** Set while the log is read in place of a lost connection. */
  #recovering: Promise<void> = Promise.resolve();
  /** Whether the connection was lost and the log has not been read yet. */
  #missed = false;
  /** Whether the attached connection has delivered all output since the start or the takeover. */
  #live = false;

  constructor(
    container: Docker.Container,
    dir: string,
    maskedValues: readonly string[],
    log: EventLogger,
  ) {
    this.#container = container;
    this.#dir = dir;
    this.#log = log;
    this.#writer = new SpoolWriter({
      dir,
      maskedValues,
      onGrow: (end) => this.spool.grew(end),
    });
    this.#feed = new SpoolFeed({
      writer: this.#writer,
      source: () => (this.#live ? this.#attached : this.#logs),
    });
    this.spool = new FileSpoolReader(dir);
  }

  /** For a container that has not been started: nothing can be missed. `notices` come first. */
  async attachFresh(notices: readonly string[], patience: Patience = {}): Promise<void> {
    this.#writer.note(notices, nowMicros());
    const stream = await inTime('attachContainer', () => this.#attach(), patience);
    this.#live = true;
    stream.on('data', (piece: Buffer) => this.#feed.push(piece, nowMicros()));
    stream.once('close', () => this.#onDetached());
  }

  /** For a container that has run without this agent. */
  async resume(running: boolean): Promise<void> {
    // Bytes that wait for space count as read.
    await this.#feed.settled();
    const attached = running ? await this.#attach() : null;
    const fromAttached = new RecentBytes(COMPARED_BYTES);
    const fromLogs = new RecentBytes(COMPARED_BYTES);
    const logs = await this.#openLogs();
    const skip = this.#startOfNew(logs);
    const onBoth = (): void => this.#awaitQuiet(() => fromAttached.endsLike(fromLogs));
    logs.stream.on('data', (piece: Buffer) => {
      fromLogs.push(piece);
      const fresh = skip.push(piece);
      if (!this.#live && fresh.length > 0) this.#feed.push(fresh, nowMicros());
      onBoth();
    });
    attached?.on('data', (piece: Buffer) => {
      if (this.#live) {
        this.#feed.push(piece, nowMicros());
        return;
      }
      fromAttached.push(piece);
      onBoth();
    });
    attached?.once('close', () => this.#onDetached());
    if (running) this.#log.info('attached again, output comes from the log of the container');
    if (this.#closed) this.#stop();
  }

  /** Sends Ctrl-C to the container's terminal. */
  async interrupt(): Promise<void> {
    const stream = this.#attached?.writable ? this.#attached : await this.#attach();
    stream.write('\x03');
  }

  /** Reads the rest after the container's end, and closes the spool. */
  async finish(): Promise<void> {
    this.#finishing = true;
    this.#feed.hurry();
    await this.#recovering;
    if (this.#missed) {
      this.#live = false;
      await this.resume(false);
    }
    const source = this.#live ? this.#attached : this.#logs;
    if (source && !source.destroyed) await this.#drain(source);
    await this.#feed.settled();
    this.#stop();
    this.#writer.close(nowMicros());
    this.spool.finish();
  }

  /** Releases the connection without closing the spool, which the next agent continues. */
  release(): void {
    this.#stop();
  }

  async #drain(source: Readable): Promise<void> {
    for (;;) {
      // On a full disk the rest waits for space.
      await this.#feed.settled();
      if ((await hasEnded(source)) || !this.#feed.isWaiting) break;
    }
    source.destroy();
  }

  #stop(): void {
    this.#closed = true;
    this.#feed.close();
    if (this.#quiet) clearTimeout(this.#quiet);
    this.#logs?.destroy();
    this.#attached?.destroy();
  }

  async #attach(): Promise<Duplex> {
    const stream = (await this.#container.attach({
      stream: true,
      hijack: true,
      stdin: true,
      stdout: true,
      stderr: true,
    })) as Duplex;
    stream.on('error', (error) => this.#log.error('attached connection failed', error));
    stream.once('end', () => stream.destroy());
    // It has come too late: nothing reads it any more.
    if (this.#closed) stream.destroy();
    this.#attached = stream;
    return stream;
  }

  /** Works for an ended container too: the stream then ends after its whole output. */
  async #openLogs(): Promise<{ stream: Readable; whole: boolean }> {
    const whole = !(await this.#rotated());
    const place = newestRecord(this.#dir);
    const since = whole || !place ? 0 : place.time / 1e6;
    const stream = (await this.#container.logs({
      stdout: true,
      stderr: true,
      follow: true,
      since,
    })) as unknown as Readable;
    stream.on('error', (error) => this.#log.error('reading the container log failed', error));
    this.#logs = stream;
    return { stream, whole };
  }

  #startOfNew(logs: { readonly whole: boolean }): OutputSkip {
    if (logs.whole) return new OutputSkip(this.#writer.place);
    this.#feed.push(Buffer.from(ROTATED_MARK), nowMicros());
    return new OutputSkip({ newlines: 0, tail: 0 });
  }

  /** Whether Docker may have dropped the beginning of its log: true once its last file exists. */
  async #rotated(): Promise<boolean> {
    const { LogPath } = await this.#container.inspect();
    return LogPath !== '' && existsSync(`${LogPath}.3`);
  }

  #awaitQuiet(same: () => boolean): void {
    if (this.#live || this.#closed) return;
    if (this.#quiet) clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      if (!same()) return;
      this.#live = true;
      this.#logs?.destroy();
      this.#log.info('attached output has taken over');
    }, QUIET_MS);
    this.#quiet.unref();
  }

  /** The connection ends with the container, or because the daemon restarts. */
  #onDetached(): void {
    this.#attached = null;
    if (this.#closed || !this.#live) return;
    this.#recovering = this.#recoverIfRunning();
  }

  /** Never rejects. */
  async #recoverIfRunning(): Promise<void> {
    while (!this.#closed && !this.#finishing) {
      try {
        const { State } = await this.#container.inspect();
        if (!State.Running) return;
        // After this point only Docker's log has the container's output.
        this.#missed = true;
        if (this.#closed || this.#finishing) return;
        this.#live = false;
        await this.resume(true);
        this.#missed = false;
        return;
      } catch (error) {
        this.#missed = true;
        this.#attached?.destroy();
        this.#log.info('attaching again failed', { why: engineErrorMessage(error) });
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  }
}

/** False: it has not ended within the time limit. */
function hasEnded(stream: Readable): Promise<boolean> {
  const end = (signal: AbortSignal) =>
    finished(stream, { writable: false, signal }).then(
      () => true,
      // A stream that failed delivers nothing more.
      () => true,
    );
  return withTimeout(end, { ms: END_MS, onTimeout: () => false });
}
