import * as z from 'zod';
import { parseCron } from '../grammar/cron.ts';
import { TAG_KEY, TAG_VALUE } from '../grammar/names.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { BackendType } from './backend-types.ts';
import { Duration, duration, IdleDuration, OffableDuration } from './durations.ts';
import { reportIssue } from './issue.ts';
import { EntityReference, InstanceSelector } from './references.ts';
import { bool, float, int, optional, readBool, string } from './scalars.ts';
import { choice, closed, isMap, named, oneOf, type Reader, reader } from './schema-kit.ts';

export const SpotPolicy = choice(['spot', 'on-demand', 'auto'], 'enum', 'SpotPolicy');
export type SpotPolicy = z.infer<typeof SpotPolicy>;

export const CreationPolicy = choice(['reuse', 'reuse-or-create'], 'enum', 'CreationPolicy');
export type CreationPolicy = z.infer<typeof CreationPolicy>;

export const StartupOrder = choice(
  ['any', 'master-first', 'workers-first'],
  'enum',
  'StartupOrder',
);
export type StartupOrder = z.infer<typeof StartupOrder>;

export const StopCriteria = choice(['all-done', 'master-done'], 'enum', 'StopCriteria');
export type StopCriteria = z.infer<typeof StopCriteria>;

export const RetryEvent = choice(['no-capacity', 'interruption', 'error'], 'enum', 'RetryEvent');
export type RetryEvent = z.infer<typeof RetryEvent>;

/** Null parts mean the defaults: all events, one hour. */
export const ProfileRetry = named(
  'ProfileRetry',
  closed({
    on_events: optional(z.array(RetryEvent).min(1)),
    duration: optional(Duration),
  }),
);
export type ProfileRetry = z.infer<typeof ProfileRetry>;

const RetryFlag = bool();

/** `true`, `false`, or which events are retried and for how long. */
export const RetryPolicy: Reader<ProfileRetry | boolean> = oneOf<ProfileRetry | boolean>(
  (value) => {
    if (isMap(value)) return ProfileRetry;
    return readBool(value) instanceof Problem
      ? new Problem(`must be true, false or {on_events: [...], duration: 1h}, got ${quote(value)}`)
      : RetryFlag;
  },
  (ref) => ({ anyOf: [ref(ProfileRetry), { type: 'boolean' }] }),
);

/** The shortest window for measuring the utilization of GPUs, in seconds. */
const MIN_UTILIZATION_WINDOW = 300;

export const UtilizationPolicy = named(
  'UtilizationPolicy',
  closed({
    min_gpu_utilization: int({ ge: 0, le: 100 }),
    time_window: duration({ ge: MIN_UTILIZATION_WINDOW }),
  }),
);
export type UtilizationPolicy = z.infer<typeof UtilizationPolicy>;

/** One expression or several, in UTC. */
export const CronList: Reader<string[]> = reader(
  (value) => {
    const list = Array.isArray(value) ? value : [value];
    if (list.length === 0) return new Problem("must have one schedule or more, like '0 8 * * mon'");
    for (const [index, item] of list.entries()) {
      const at = Array.isArray(value) ? [index] : [];
      if (typeof item !== 'string') {
        return new Problem(`must be a string like '0 8 * * mon', got ${quote(item)}`, { at });
      }
      const schedule = parseCron(item);
      if (schedule instanceof Problem) return new Problem(schedule.message, { at });
    }
    return [...list];
  },
  { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'string' }] },
  { type: 'array', items: { type: 'string' } },
);

export const Schedule = named('Schedule', closed({ cron: CronList }));
export type Schedule = z.infer<typeof Schedule>;

/** Labels for cloud resources: keys and values are limited to what all clouds accept. */
export const Tags: Reader<Record<string, string>> = reader(
  (value) => {
    if (!isMap(value)) return new Problem(`must be a map of strings, got ${quote(value)}`);
    for (const [key, text] of Object.entries(value)) {
      const problem = checkTag(key, text);
      if (problem) return problem;
    }
    return { ...(value as Record<string, string>) };
  },
  { type: 'object', additionalProperties: { type: 'string' } },
);

function checkTag(key: string, value: unknown): Problem | undefined {
  const at = [key];
  if (!TAG_KEY.test(key)) {
    return new Problem(
      `has an invalid key ${quote(key)}: 1 to 60 letters, digits, '-' and '_' are allowed`,
      { at },
    );
  }
  if (typeof value !== 'string') {
    return new Problem(`has a value that is not a string at '${key}': quote it`, { at });
  }
  if (TAG_VALUE.test(value)) return undefined;
  return new Problem(
    `has an invalid value ${quote(value)} at '${key}': up to 256 letters, digits, blanks and . : / = _ - + @ are allowed`,
    { at },
  );
}

export const VastAIOfferOrder = choice(['score', 'price'], 'enum', 'VastAIOfferOrder');
export type VastAIOfferOrder = z.infer<typeof VastAIOfferOrder>;

export const VastAIProfileOptions = named(
  'VastAIProfileOptions',
  closed({
    type: choice(['vastai'], 'literal_error').default('vastai'),
    offer_order: optional(VastAIOfferOrder),
    min_reliability: optional(float({ ge: 0, le: 1 })),
    min_score: optional(int({ ge: 0 })),
  }),
);
export type VastAIProfileOptions = z.infer<typeof VastAIProfileOptions>;

const BackendOptions = z.array(VastAIProfileOptions).superRefine((options, ctx) => {
  const types = options.map((option) => option.type);
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  if (twice) reportIssue(ctx, options, new Problem(`has two entries of type ${twice}: keep one`));
});

const Names = z.array(string());

/** The keys that profiles and run configurations share. Null everywhere = not specified. */
export const profileShape = {
  backends: optional(z.array(BackendType)),
  regions: optional(Names),
  availability_zones: optional(Names),
  instance_types: optional(Names),
  reservation: optional(string()),
  spot_policy: optional(SpotPolicy),
  retry: optional(RetryPolicy),
  max_duration: OffableDuration.default(null),
  stop_duration: OffableDuration.default(null),
  max_price: optional(float({ gt: 0 })),
  creation_policy: optional(CreationPolicy),
  idle_duration: IdleDuration.default(null),
  utilization_policy: optional(UtilizationPolicy),
  startup_order: optional(StartupOrder),
  stop_criteria: optional(StopCriteria),
  schedule: optional(Schedule),
  fleets: optional(z.array(EntityReference)),
  instances: optional(z.array(InstanceSelector).min(1)),
  tags: optional(Tags),
  backend_options: optional(BackendOptions),
};

export const ProfileParams = named('ProfileParams', closed(profileShape));
export type ProfileParams = z.infer<typeof ProfileParams>;

/** The 20 keys of `ProfileParams`. */
export const PROFILE_KEYS = Object.keys(profileShape) as (keyof ProfileParams)[];

export const Profile = named(
  'Profile',
  closed({ ...profileShape, name: string().default(''), default: bool().default(false) }),
);
export type Profile = z.infer<typeof Profile>;

/** `profiles.yml`. */
export const ProfilesConfig = named('ProfilesConfig', closed({ profiles: z.array(Profile) }));
export type ProfilesConfig = z.infer<typeof ProfilesConfig>;

/** A profile without any setting. */
export function emptyProfile(name = 'default'): Profile {
  return Profile.parse({ name });
}
