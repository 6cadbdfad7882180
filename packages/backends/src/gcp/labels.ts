/**
 * Labels of GCP's resources, which have lower-case letters, digits, `-` and `_` only. Our own contain texts of any
 * form: each other byte is `_` and two digits, and a text that is too long goes on in the next label.
 */
import { escapedBytes, unescapedBytes } from '../base/rest-vm/escaped-bytes.ts';
import { KEY_TAG } from '../base/rest-vm/names.ts';

const KEY = /^[a-z][a-z0-9_-]{0,62}$/;
const VALUE = /^[a-z0-9_-]{0,63}$/;
/** Characters that values of labels may not contain, and the sign of an escape. */
const OTHERS = /[^a-z0-9-]/gu;
const LONGEST = 63;
/** The most labels that a resource may have. */
const MOST = 64;
/** How the names of our own labels begin. */
const OWN = 'dstack-';
const PART = /^(dstack-[a-z-]{1,40})_(\d{1,2})$/;

/** By which all machines of dstack are found. */
export const KEY_LABEL = KEY_TAG;

/** Null: GCP allows it. */
export function labelProblem(key: string, value: string): string | null {
  const isValid = KEY.test(key) && VALUE.test(value) && !key.startsWith(OWN);
  return isValid ? null : `GCP does not allow ${JSON.stringify(`${key}=${value}`)} as a label`;
}

/** `own` may have any values. The others, in the order of importance, are left out if GCP would refuse them. */
export function labelsOf(
  own: Readonly<Record<string, string>>,
  ...others: readonly Readonly<Record<string, string>>[]
): Readonly<Record<string, string>> {
  const labels = new Map<string, string>();
  for (const [key, value] of Object.entries(own)) {
    for (const [at, part] of partsOf(escapedBytes(value, OTHERS)).entries()) {
      labels.set(at === 0 ? key : `${key}_${at}`, part);
    }
  }
  for (const [key, value] of others.flatMap((set) => Object.entries(set))) {
    const fits = labelProblem(key, value) === null;
    if (fits && !labels.has(key) && labels.size < MOST) labels.set(key, value);
  }
  return Object.fromEntries(labels);
}

/** The tags that the labels stand for. */
export function tagsIn(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const tags = Object.entries(labels)
    .filter(([key]) => !PART.test(key))
    .map(([key, value]) => {
      if (!key.startsWith(OWN)) return [key, value] as const;
      let text = value;
      for (let at = 1; labels[`${key}_${at}`] !== undefined; at++) text += labels[`${key}_${at}`];
      return [key, unescapedBytes(text)] as const;
    });
  return Object.fromEntries(tags);
}

function partsOf(text: string): readonly string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += LONGEST) parts.push(text.slice(at, at + LONGEST));
  return parts.length === 0 ? [''] : parts;
}
