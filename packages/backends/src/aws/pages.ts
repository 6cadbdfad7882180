/** Answers that come in pages. */
import { NoAnswerError } from '../base/errors.ts';

export interface AwsPage<T> {
  readonly page: T;
  /** For the question after it; null = it is the last one. */
  readonly next: string | null;
}

const MOST_PAGES = 1000;

/** All pages, or an error: a part would look like the whole. */
export async function awsPages<T>(
  what: string,
  ask: (token: string | null) => Promise<AwsPage<T>>,
): Promise<readonly T[]> {
  const pages: T[] = [];
  const tokens = new Set<string | null>();
  for (let token: string | null = null; ; ) {
    tokens.add(token);
    const { page, next }: AwsPage<T> = await ask(token);
    pages.push(page);
    if (next === null) return pages;
    if (tokens.has(next) || pages.length >= MOST_PAGES) {
      throw new NoAnswerError(`AWS: the pages of ${what} do not end`);
    }
    token = next;
  }
}
