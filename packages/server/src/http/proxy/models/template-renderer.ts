/**
 * Chat templates are programs of users. They run in a process of their own, bounded in time and memory:
 * a list that a template doubles thirty times would end the server. A thread is no border for that: the
 * whole process ends when the memory of one of its threads does.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { TemplateError } from './jinja/lexer.ts';

export interface TemplateJob {
  readonly template: string;
  readonly messages: unknown;
}

export type TemplateAnswer = { readonly text: string } | { readonly error: string };

export interface TemplateRendererOptions {
  /** Path of the program of the process. */
  readonly program: string;
  /** Milliseconds that one template may take; those of chats take a few. */
  readonly timeoutMs?: number;
}

/** Chats that wait for the process. */
const MAX_WAITING = 100;

/** A process that nobody has needed for so long (ms) ends. */
const IDLE_MS = 60_000;

const MEMORY_MB = 96;

/** Templates that have cost a process, remembered so that the next chat does not cost another. */
const MAX_REFUSED = 100;

const DOES_NOT_END = 'the template takes too much time or memory';

export class TemplateRenderer {
  readonly #program: string;
  readonly #timeoutMs: number;
  readonly #refused = new Set<string>();
  #child: ChildProcess | null = null;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor({ program, timeoutMs = 2000 }: TemplateRendererOptions) {
    this.#program = program;
    this.#timeoutMs = timeoutMs;
  }

  /** One after another. Rejects with `TemplateError`. */
  async render(job: TemplateJob): Promise<string> {
    if (this.#refused.has(job.template)) throw new TemplateError(DOES_NOT_END);
    if (this.#waiting >= MAX_WAITING) throw new TemplateError('too many chats are being prepared');
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
    // Another chat may have shown what it is while this one waited.
    if (this.#refused.has(job.template)) throw new TemplateError(DOES_NOT_END);
    clearTimeout(this.#idle);
    const child = this.#started();
    const answer = await answerOf(child, job, this.#timeoutMs);
    if (answer === null) {
      this.#refuse(job.template);
      this.#child = null;
      await end(child);
      throw new TemplateError(DOES_NOT_END);
    }
    this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    if ('error' in answer) throw new TemplateError(answer.error);
    return answer.text;
  }

  #started(): ChildProcess {
    if (this.#child !== null) return this.#child;
    const child = fork(this.#program, {
      // Nothing of the server's own is there to be seen.
      env: {},
      execArgv: [`--max-old-space-size=${MEMORY_MB}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    // The server does not wait for it; whoever waits for an answer is told by its end.
    child.unref();
    child.channel?.unref();
    child.on('error', () => {});
    this.#child = child;
    return child;
  }

  #refuse(template: string): void {
    this.#refused.add(template);
    const [oldest] = this.#refused;
    if (this.#refused.size > MAX_REFUSED && oldest !== undefined) this.#refused.delete(oldest);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Null: none came, in this time or at all. */
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
