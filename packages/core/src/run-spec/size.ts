import type { RunSpec } from '@dstack/contract/wire';
import { mergedProfile } from '../profile/merge.ts';
import { arrayOf } from './array-member.ts';
import { memberTexts } from './member-texts.ts';
import { type SpecError, specError } from './result.ts';
import { nodesRequired } from './size-of.ts';

/** The most items of one list or map; each offer is compared with all of them. */
const MOST_ITEMS = 1000;

/** The most cron expressions of one schedule: each may be searched day by day for years. */
const MOST_EXPRESSIONS = 32;

/** The most characters of the configuration times the number of jobs: each job stores a copy. */
const MOST_TEXT = 4 * 1024 * 1024;

/** The same times the number of members of an array, which are not stored at once. */
const MOST_MEMBER_TEXT = 128 * 1024 * 1024;

/** Refuses runs that are too large to be planned and stored quickly; null = accepted. */
export function sizeError(spec: RunSpec, maxJobs: number): SpecError | null {
  const { configuration } = spec;
  const array = arrayOf(spec);
  const rest = { ...configuration, array: undefined };
  const long = longList(rest, []) ?? longList(spec.profile, ['profile']);
  if (long) {
    return specError(
      `\`${long.path.join('.')}\` has ${long.items} items; at most ${MOST_ITEMS} are allowed`,
    );
  }
  const times = [mergedProfile(spec).schedule?.cron ?? []].flat().length;
  if (times > MOST_EXPRESSIONS) {
    return specError(
      `\`schedule.cron\` has ${times} expressions; at most ${MOST_EXPRESSIONS} are allowed`,
    );
  }
  const jobs = mostJobs(spec);
  if (jobs > maxJobs) {
    return specError(
      `The run may have up to ${jobs} jobs; this server allows ${maxJobs} (DSTACK_SERVER_MAX_JOBS_PER_RUN)`,
    );
  }
  const text = JSON.stringify(rest);
  const texts = array === null ? null : memberTexts(text, array);
  if (texts !== null && texts.all > MOST_MEMBER_TEXT) {
    return specError(
      `The configuration is too large for ${texts.members} members: it is stored for each of them, with its values. Put long scripts into \`files\``,
    );
  }
  if (texts !== null && texts.longest > MOST_TEXT) {
    return specError(
      'The configuration of a member becomes too large by the values that stand in it: put long ones into `files`',
    );
  }
  const size = text.length;
  if (size * jobs <= MOST_TEXT) return null;
  return specError(
    `The configuration is too large for ${jobs} jobs: it is stored for each of them. Put long scripts into \`files\``,
  );
}

/** The most jobs at one time; for a service, the most that scaling may start. */
function mostJobs(spec: RunSpec): number {
  const { configuration } = spec;
  if (configuration.type !== 'service') return nodesRequired(spec);
  const ranges = configuration.groups?.map((group) => group.replicas) ?? [configuration.replicas];
  return ranges.reduce((sum, range) => sum + (range?.max ?? 1), 0);
}

interface LongList {
  readonly path: readonly string[];
  readonly items: number;
}

/** The recursion is bounded: specs are as deep as their schema. */
function longList(value: unknown, path: readonly string[]): LongList | null {
  if (typeof value !== 'object' || value === null) return null;
  const entries = Object.entries(value);
  if (entries.length > MOST_ITEMS) return { path, items: entries.length };
  for (const [key, item] of entries) {
    const found = longList(item, [...path, key]);
    if (found) return found;
  }
  return null;
}
