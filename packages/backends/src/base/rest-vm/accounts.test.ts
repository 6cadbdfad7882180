import { expect, it } from 'vitest';
import { AccountLimiters } from './accounts.ts';

function limiters() {
  const pace = { time: 0, now: () => pace.time, delay: async () => {} };
  const rules = [{ calls: 1, seconds: 60 }];
  return { pace, of: new AccountLimiters({ title: 'Lambda', rules, pace, facts: null }) };
}

it('backends of one account share its limits, also when one of them is opened anew', () => {
  const { of } = limiters();
  const first = of.join('a');
  first.leave();
  expect(of.join('a').limiter).toBe(first.limiter);
  expect(of.join('b').limiter).not.toBe(first.limiter);
});

it('credentials that were only tried are forgotten once their calls count no longer', () => {
  const { of, pace } = limiters();
  const used = of.join('used');
  for (let attempt = 0; attempt < 100; attempt++) {
    const { leave } = of.join(`tried ${attempt}`);
    leave();
    leave();
    pace.time += 30_000;
  }
  expect(of.size).toBeLessThan(5);
  expect(of.join('used').limiter).toBe(used.limiter);
});
