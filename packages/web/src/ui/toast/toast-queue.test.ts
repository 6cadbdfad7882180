import { expect, it } from 'vitest';
import { createToastQueue, type Report } from './toast-queue.ts';

const report = (title: string): Report => ({ kind: 'done', title, description: undefined });

it('keeps reports until something shows them, and passes later ones on at once', () => {
  const queue = createToastQueue();
  const changes: boolean[] = [];
  queue.subscribe(() => changes.push(queue.isUsed()));
  queue.add(report('first'));
  queue.add(report('second'));
  expect(changes).toEqual([true]);

  const shown: string[] = [];
  const end = queue.onReport(({ title }) => shown.push(title));
  queue.add(report('third'));
  expect(shown).toEqual(['first', 'second', 'third']);

  end();
  queue.add(report('fourth'));
  expect(shown).toHaveLength(3);
  queue.onReport(({ title }) => shown.push(title));
  expect(shown.at(-1)).toBe('fourth');
});
