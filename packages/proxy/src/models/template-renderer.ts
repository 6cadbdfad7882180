/**
 * Renders chat templates in a separate process with limits of time and memory: templates are
 * programs of users, and one that doubles a list thirty times would end the server. A thread is not
 * enough, because a thread that exhausts its memory ends the whole process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface TemplateJob {
  readonly template: string;
  readonly messages: unknown;
}

export type TemplateAnswer = { readonly text: string } | { readonly error: string };

export interface TemplateRendererOptions {
  /** Path of the program of the process. */
  readonly program: string;
  /** Node, and its arguments; by default as this process was started. */
  readonly node?: readonly string[];
  /** Milliseconds that one template may take; those of chats take a few. */
  readonly timeoutMs?: number;
}

/** Chats that wait for the process. */
const MAX_WAITING = 100;

/** The process ends when it has been idle this long (ms). */
const IDLE_MS = 60_000;

const MEMORY_MB = 96;

/**
 * A template that has exhausted a process is refused for this long (ms), so that not every chat
 * costs a process. Not for ever: the messages, or other load, may have been the cause.
 */
const REFUSED_MS = 60_000;
const MAX_REFUSED = 100;

const EXHAUSTED = 'the template takes too much time or memory';

/** The template cannot be rendered with these messages; the message has the reason. */
export class TemplateError extends Error {
  override name = 'TemplateError';
}

/** Too many chats wait already; the same chat may succeed later. */
export class RendererBusy extends Error {
  override name = 'RendererBusy';
}

export class TemplateRenderer {
  readonly #program: string;
  readonly #node: readonly string[];
  readonly #timeoutMs: number;
  /** Templates that have exhausted a process, and until when they are refused. */
  readonly #refused = new Map<string, number>();
  #child: ChildProcess | null = null;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor({ program, node = [process.execPath], timeoutMs = 2000 }: TemplateRendererOptions) {
    this.#program = program;
    this.#node = node;
    this.#timeoutMs = timeoutMs;
  }

  /** Renders one template after another. Rejects with `TemplateError` or `RendererBusy`. */
  async render(job: TemplateJob): Promise<string> {
    this.#checkRefused(job.template);
    if (this.#waiting >= MAX_WAITING) throw new RendererBusy('too many chats are waiting');
    this.#waiting += 1;
    const result = this.#last.then(() => this.#run(job));
    this.#last = result.catch(() => {});
    try {
      return await result;
    } finally {
      this.#waiting -= 1;
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const child = this.#child;
    this.#child = null;
    if (child) await end(child);
  }

  async #run(job: TemplateJob): Promise<string> {
    // The template may have exhausted the process while this chat waited.
    this.#checkRefused(job.template);
    clearTimeout(this.#idle);
    const child = this.#started();
    const answer = await answerOf(child, job, this.#timeoutMs);
    if (answer === null) {
      this.#refuse(job.template);
      this.#child = null;
      await end(child);
      throw new TemplateError(EXHAUSTED);
    }
    this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    if ('error' in answer) throw new TemplateError(answer.error);
    return answer.text;
  }

  #started(): ChildProcess {
    if (this.#child !== null) return this.#child;
    const [node, ...before] = this.#node;
    const child = fork(this.#program, {
      // Templates must not be able to read the server's environment.
      env: {},
      ...(node !== undefined && { execPath: node }),
      execArgv: [...before, `--max-old-space-size=${MEMORY_MB}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    // The process must not keep the server running.
    child.unref();
    child.channel?.unref();
    child.on('error', () => {});
    child.once('exit', () => {
      if (this.#child === child) this.#child = null;
    });
    this.#child = child;
    return child;
  }

  #checkRefused(template: string): void {
    const until = this.#refused.get(template) ?? 0;
    if (performance.now() < until) throw new TemplateError(EXHAUSTED);
  }

  #refuse(template: string): void {
    this.#refused.delete(template);
    this.#refused.set(template, performance.now() + REFUSED_MS);
    const [oldest] = this.#refused.keys();
    if (this.#refused.size > MAX_REFUSED && oldest !== undefined) this.#refused.delete(oldest);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Null if the process has exited or has not answered in time. */
function answerOf(
  child: ChildProcess,
  job: TemplateJob,
  timeoutMs: number,
): Promise<TemplateAnswer | null> {
  return new Promise((resolve) => {
    const settle = (answer: TemplateAnswer | null) => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onEnd).off('error', onEnd);
      resolve(answer);
    };
    const onMessage = (answer: unknown) => settle(answer as TemplateAnswer);
    const onEnd = () => settle(null);
    const timer = setTimeout(onEnd, timeoutMs);
    child.once('message', onMessage).once('exit', onEnd).once('error', onEnd);
    child.send(job as object, (error) => error && onEnd());
  });
}
