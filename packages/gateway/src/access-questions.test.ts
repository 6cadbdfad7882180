import { expect, it, vi } from 'vitest';
import { AccessQuestions } from './access-questions.ts';
import type { ToWorker } from './worker/messages.ts';

class FakeWorker {
  readonly received: ToWorker[] = [];
  send(message: ToWorker): void {
    this.received.push(message);
  }
  /** The number of the question that it was asked last. */
  get asked(): number {
    const last = this.received.at(-1);
    return last?.type === 'access' ? last.n : 0;
  }
}

const order = (n: number) => ({ type: 'access', n, run_id: 'web', after: { w0: 4 } }) as const;
const page = (process: string) => ({ process, next: 5, skipped: 0, records: [] });

function world() {
  const sent: unknown[] = [];
  const questions = new AccessQuestions<FakeWorker>((frame) => sent.push(frame) > 0);
  const workers = [new FakeWorker(), new FakeWorker()] as const;
  const answer = (at: 0 | 1, n = workers[at].asked) =>
    questions.answered(workers[at], { type: 'access-pages', n, pages: [page(`w${at}`)] });
  return { sent, questions, workers, answer };
}

it('the server gets the pages of all workers, under the number of its question', () => {
  const { sent, questions, workers, answer } = world();
  questions.ask(order(7), workers);
  questions.ask(order(8), workers);
  expect(workers[0].received).toMatchObject([{ after: { w0: 4 } }, { after: { w0: 4 } }]);
  answer(1, 1);
  answer(1, 1);
  expect(sent).toEqual([]);
  answer(0, 1);
  expect(sent).toEqual([{ type: 'accessed', n: 7, pages: [page('w1'), page('w0')] }]);
});

it('a worker that ends, or is too busy to answer, is left out', () => {
  vi.useFakeTimers();
  const { sent, questions, workers, answer } = world();
  questions.ask(order(1), workers);
  answer(0);
  questions.ended(workers[1]);
  expect(sent).toEqual([{ type: 'accessed', n: 1, pages: [page('w0')] }]);
  questions.ask(order(2), workers);
  answer(1);
  vi.runAllTimers();
  answer(0);
  expect(sent.slice(1)).toEqual([{ type: 'accessed', n: 2, pages: [page('w1')] }]);
  questions.ask(order(3), []);
  expect(sent.slice(2)).toEqual([{ type: 'accessed', n: 3, pages: [] }]);
  vi.useRealTimers();
});
