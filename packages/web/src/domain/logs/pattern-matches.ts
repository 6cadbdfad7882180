/** Messages between the page and its search worker. */

/** The first message to the worker: the expression to search for. */
export interface PatternStart {
  readonly kind: 'start';
  readonly source: string;
  readonly flags: string;
}

export interface PatternChunk {
  readonly kind: 'search';
  readonly texts: readonly string[];
  /** At most this many matches. */
  readonly most: number;
  /** Reports the place of each text before it is searched, so that one that takes too long is known. */
  readonly reportsPlaces: boolean;
}

export type PatternAnswer =
  | { readonly kind: 'at'; readonly place: number }
  /** Triples: the place of the text in the chunk, and where the match begins and ends. */
  | { readonly kind: 'matches'; readonly triples: readonly number[] };

/** All matches that are not empty, as triples. May take for ever: never call it on the page's own thread. */
export function patternMatches(
  pattern: RegExp,
  { texts, most, reportsPlaces }: PatternChunk,
  report: (place: number) => void,
): number[] {
  const triples: number[] = [];
  for (const [place, text] of texts.entries()) {
    if (reportsPlaces) report(place);
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const { length } = match[0];
      if (length === 0) pattern.lastIndex += 1;
      else triples.push(place, match.index, match.index + length);
      if (triples.length >= most * 3) return triples;
    }
  }
  return triples;
}
