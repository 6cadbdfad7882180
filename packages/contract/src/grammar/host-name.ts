import { Problem, quote } from './problem.ts';

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const LONGEST = 253;

/** A name in DNS with a domain, in lower case; no address, and no `*`. */
export function parseHostName(text: string): string | Problem {
  const name = text.toLowerCase();
  const labels = name.length <= LONGEST ? name.split('.') : [];
  const isName = labels.length > 1 && labels.every((label) => LABEL.test(label));
  // The last label of an IPv4 address is a number, that of a name never is.
  if (isName && !/^\d+$/.test(labels.at(-1) ?? '')) return name;
  return new Problem(`must be a host name like chat.example.com, got ${quote(text)}`);
}
