import { Problem, quote } from './problem.ts';

export interface ParsedReference {
  readonly project: string | null;
  readonly name: string;
}

/** Reads `name` or `project/name`. */
export function parseReference(text: string): ParsedReference | Problem {
  const parts = text.split('/');
  if (parts.length > 2 || parts.includes('')) {
    return new Problem(`must be 'name' or 'project/name', got ${quote(text)}`);
  }
  const [first = '', second] = parts;
  return second === undefined ? { project: null, name: first } : { project: first, name: second };
}

/** `name`, or `project/name` if there is a project. */
export function formatReference(reference: ParsedReference): string {
  return reference.project === null ? reference.name : `${reference.project}/${reference.name}`;
}
