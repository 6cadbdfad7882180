import { expect, it } from 'vitest';
import { AnnouncementQueue } from './announcement-queue.ts';

function queue() {
  const shown: string[] = [];
  let flush = () => {};
  const timers = {
    set: (run: () => void) => {
      flush = run;
      return 1;
    },
    clear: () => {},
  };
  const announcements = new AnnouncementQueue((text) => shown.push(text), timers);
  return { announce: announcements.announce, flush: () => flush(), shown };
}

it('joins announcements that come together', () => {
  const { announce, flush, shown } = queue();
  announce('Run a is running');
  announce('Run b failed');
  expect(shown).toEqual([]);
  flush();
  expect(shown).toEqual(['Run a is running. Run b failed']);
});

it('counts the rest of a burst', () => {
  const { announce, flush, shown } = queue();
  for (const name of ['a', 'b', 'c', 'd', 'e']) announce(`Run ${name} is running`);
  flush();
  expect(shown[0]).toMatch(/^Run a is running\. .*And 2 more changes$/);
});

it('reads the same text again', () => {
  const { announce, flush, shown } = queue();
  announce('Copied');
  flush();
  announce('Copied');
  flush();
  expect(shown).toHaveLength(2);
  expect(shown[0]).not.toBe(shown[1]);
});
