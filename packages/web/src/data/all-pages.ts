interface Created {
  readonly id: string;
}

export interface PageCursor {
  readonly prev_created_at?: string;
  readonly prev_id?: string;
}

/** The largest page of the server. */
export const LARGEST_PAGE = 100;

/** More than a person looks through; the filters are for the rest. */
const MOST_PAGES = 20;

/** A whole list that the server returns page after page, newest first. */
export async function allPages<T extends Created>(
  read: (cursor: PageCursor) => Promise<readonly T[]>,
  createdAt: (item: T) => string,
): Promise<readonly T[]> {
  const all: T[] = [];
  let cursor: PageCursor = {};
  for (let page = 0; page < MOST_PAGES; page++) {
    const items = await read(cursor);
    all.push(...items);
    const last = items.at(-1);
    if (last === undefined || items.length < LARGEST_PAGE) break;
    cursor = { prev_created_at: createdAt(last), prev_id: last.id };
  }
  return all;
}
