import { wrong } from '../../fields.ts';
import type { CloudCall } from '../../personality.ts';
import type { CloudAnswer } from '../../request.ts';

const DEFAULT_PER_PAGE = 20;
const MAX_PER_PAGE = 200;

/** One page of a list under the key `name`, with links to others and the number of all. */
export function paged<T>(
  { query, url, path }: CloudCall,
  name: string,
  all: readonly T[],
  form: (item: T) => object,
): CloudAnswer {
  const page = numberOf(query, 'page', 1);
  const perPage = Math.min(numberOf(query, 'per_page', DEFAULT_PER_PAGE), MAX_PER_PAGE);
  const last = Math.max(1, Math.ceil(all.length / perPage));
  const items = all.slice((page - 1) * perPage, page * perPage);
  const linkTo = (target: number) => {
    const link = new URLSearchParams(query);
    link.set('page', String(target));
    return `${url}${path}?${link}`;
  };
  const pages = {
    ...(page > 1 ? { first: linkTo(1), prev: linkTo(page - 1) } : {}),
    ...(page < last ? { next: linkTo(page + 1), last: linkTo(last) } : {}),
  };
  const links = Object.keys(pages).length > 0 ? { pages } : {};
  return { status: 200, body: { [name]: items.map(form), links, meta: { total: all.length } } };
}

function numberOf(query: URLSearchParams, name: string, otherwise: number): number {
  const value = Number(query.get(name) ?? otherwise);
  if (Number.isInteger(value) && value >= 1) return value;
  throw wrong(name, 'must be a whole number from 1');
}
