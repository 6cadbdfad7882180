/**
 * Which modules are delivered together. Every file costs a request, and browsers have six connections to a
 * server: without groups the frame alone would be 45 files, and a page 30 more.
 */
import type { Rolldown } from 'vite';

const ENTRY = /\/src\/app\/main\.tsx$/;

/** Bytes of source: what pages share is not divided into smaller parts. Larger ones load what is not needed. */
const LEAST_PART = 3000;

/**
 * Both the page that launches runs and the board make plans of a configuration, for which they read YAML. What they share
 * stays apart from the small parts of pages, which would load it otherwise.
 */
const PLANS = /\/src\/domain\/launch\/(?!templates|command-notes)/;

export function chunkGroups(): Rolldown.CodeSplittingOptions {
  const known = new Set<string>();
  /** The entry imports it at once, itself or through others. */
  const isInFrame = (id: string, context: Rolldown.ChunkingContext): boolean => {
    const above = new Set([id]);
    for (const one of above) {
      for (const importer of context.getModuleInfo(one)?.importers ?? []) {
        if (known.has(importer) || ENTRY.test(importer)) {
          known.add(id);
          return true;
        }
        above.add(importer);
      }
    }
    return false;
  };
  return {
    groups: [
      {
        debugName: 'frame',
        name: (id, context) => (isInFrame(id, context) ? 'frame' : null),
        priority: 2,
      },
      {
        name: 'plans',
        test: PLANS,
        minShareCount: 2,
        entriesAware: true,
        entriesAwareMergeThreshold: LEAST_PART,
        priority: 1.5,
      },
      {
        name: 'parts',
        minShareCount: 2,
        entriesAware: true,
        entriesAwareMergeThreshold: LEAST_PART,
        priority: 1,
      },
    ],
  };
}
