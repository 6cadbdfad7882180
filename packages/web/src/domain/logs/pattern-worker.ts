/** Searches texts for a regular expression; the page ends this worker if it takes too long. */
import {
  type PatternAnswer,
  type PatternChunk,
  type PatternStart,
  patternMatches,
} from './pattern-matches.ts';

let pattern = /(?:)/g;

const answer = (message: PatternAnswer): void => self.postMessage(message);

addEventListener('message', ({ data }: MessageEvent<PatternStart | PatternChunk>) => {
  if (data.kind === 'start') {
    pattern = new RegExp(data.source, data.flags);
    return;
  }
  const triples = patternMatches(pattern, data, (place) => answer({ kind: 'at', place }));
  answer({ kind: 'matches', triples });
});
