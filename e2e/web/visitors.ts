import type { Installation } from '@dstack/testkit';
import type { Browser } from 'playwright-core';
import { afterEach, expect } from 'vitest';
import { Visitor } from './browser.ts';

/** Opens visitors for the tests of a file; each test fails if anything went wrong in its pages. */
export function visitorsOf(browser: () => Browser, installation: () => Installation) {
  const visitors: Visitor[] = [];
  afterEach(async () => {
    const problems = visitors.flatMap((visitor) => visitor.problems);
    for (const { context } of visitors.splice(0)) await context.close();
    expect(problems).toEqual([]);
  });
  const visitor = async (path: string, options: object = {}): Promise<Visitor> => {
    const opened = await Visitor.open(browser(), installation().url, options);
    visitors.push(opened);
    await opened.navigate(path);
    return opened;
  };
  const signedIn = async (path: string, options: object = {}): Promise<Visitor> => {
    const opened = await visitor(path, options);
    await opened.signIn(installation().token());
    return opened;
  };
  return { visitor, signedIn };
}
