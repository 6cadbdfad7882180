/**
 * Longer words are not compared: the edit distance costs the product of both lengths, and a request
 * may contain thousands of words that are compared with dozens each.
 */
const LONGEST_WORD = 64;

/** The word closest to `word`, which may be a typing error; undefined if none is close enough. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  const wanted = simplified(word);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const known of simplifiedAll(words)) {
    // A prefix (`max_dur`) is preferred to words that are merely similar.
    const isBeginning = wanted.text.length >= 4 && known.text.startsWith(wanted.text);
    const longer = Math.max(wanted.text.length, known.text.length);
    const allowed = Math.max(1, Math.floor(longer / 4));
    if (!isBeginning && leastDistance(wanted, known) > allowed) continue;
    const distance = isBeginning ? 0.5 : editDistance(wanted.text, known.text);
    if (distance <= allowed && distance < bestDistance) {
      best = known.word;
      bestDistance = distance;
    }
  }
  return best;
}

interface Simplified {
  readonly word: string;
  /** Without case and word separators: `maxPrice`, `max-price` and `max_price` are equal. */
  readonly text: string;
  /** Bit set of the letters that occur; several letters may share a bit. */
  readonly letters: number;
}

/** Cache: the lists of known words are constants. */
const lists = new WeakMap<object, readonly Simplified[]>();

function simplifiedAll(words: Iterable<string>): readonly Simplified[] {
  if (!Array.isArray(words)) return [...words].map(simplified);
  const kept = lists.get(words);
  if (kept?.length === words.length) return kept;
  const list = words.map(simplified);
  lists.set(words, list);
  return list;
}

function simplified(word: string): Simplified {
  const text = word.toLowerCase().replace(/[-_\s]/g, '');
  let letters = 0;
  for (let i = 0; i < text.length; i += 1) letters |= 1 << (text.charCodeAt(i) & 31);
  return { word, text, letters };
}

/** A cheap lower bound of the distance: one edit adds at most one letter or one to the length. */
function leastDistance(a: Simplified, b: Simplified): number {
  const lengths = Math.abs(a.text.length - b.text.length);
  const [onlyA, onlyB] = [bits(a.letters & ~b.letters), bits(b.letters & ~a.letters)];
  return Math.max(lengths, onlyA, onlyB);
}

function bits(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/** Edits between two words: insert, delete, replace, swap of neighbours. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
