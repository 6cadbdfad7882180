import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { ProxyLog } from '@dstack/proxy';
import { expect, it, vi } from 'vitest';
import { Workers } from './workers.ts';

const log = { info() {}, warn() {}, error() {} } as unknown as ProxyLog;

/** A process that answers `listen` like this. */
class FakeChild extends EventEmitter {
  connected = true;
  isKilled = false;
  readonly #answer: object | null;

  /** `answer` null: it ends instead. */
  constructor(answer: object | null) {
    super();
    this.#answer = answer;
  }

  send({ type, id }: { readonly type: string; readonly id: number }): boolean {
    if (type !== 'listen') return true;
    if (this.#answer === null) this.kill();
    else setImmediate(() => this.emit('message', { to: id, ...this.#answer }));
    return true;
  }

  kill(): boolean {
    this.isKilled = true;
    setImmediate(() => {
      this.connected = false;
      this.emit('disconnect');
      this.emit('exit', null, 'SIGKILL');
    });
    return true;
  }
}

it('a worker that ends before it listens, or cannot listen, is followed by another one', async () => {
  const refused = { error: { message: 'no room', refusal: null } };
  const children: FakeChild[] = [];
  const answers = [refused, null, { data: null }, { data: null }];
  const ended = vi.fn();
  const workers = new Workers({
    ...{ runtime: '/run', group: null, timeoutMs: 1, spools: { uses: '', counts: '' }, log },
    ...{ initial: () => [], handlers: () => ({}), onExit: ended },
    spawn: () => {
      const child = new FakeChild(answers[children.length] ?? null);
      children.push(child);
      return child as unknown as ChildProcess;
    },
  });
  await workers.start();
  expect(children.map(({ isKilled }) => isKilled)).toEqual([true, true, false, false]);
  expect(ended).toHaveBeenCalledTimes(2);
  expect(workers.all).toHaveLength(2);
});
