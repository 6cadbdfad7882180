import * as z from 'zod';
import { Problem, quote } from '../grammar/problem.ts';
import type { Range } from '../grammar/range.ts';
import { Duration, duration, OffableDuration, readDuration } from './durations.ts';
import { reportIssue } from './issue.ts';
import { RangeInt } from './resources.ts';
import { firstDuplicate, withRules } from './rules.ts';
import { bool, float, int, optional, readString, string } from './scalars.ts';
import {
  choice,
  closed,
  isMap,
  named,
  oneOf,
  type Reader,
  reader,
  shorthand,
  tagged,
} from './schema-kit.ts';

export const TGIChatModel = named(
  'TGIChatModel',
  closed({
    type: choice(['chat'], 'literal_error').default('chat'),
    name: string(),
    format: choice(['tgi'], 'literal_error'),
    chat_template: optional(string()),
    eos_token: optional(string()),
  }),
);
export type TGIChatModel = z.infer<typeof TGIChatModel>;

export const OpenAIChatModel = named(
  'OpenAIChatModel',
  closed({
    type: choice(['chat'], 'literal_error').default('chat'),
    name: string(),
    format: choice(['openai'], 'literal_error'),
    prefix: string().default('/v1'),
  }),
);
export type OpenAIChatModel = z.infer<typeof OpenAIChatModel>;

const ChatModelByFormat = tagged('format', { openai: OpenAIChatModel, tgi: TGIChatModel });

export type ChatModel = OpenAIChatModel | TGIChatModel;

/** The model that a service serves: its name (OpenAI format), or one of the two models. */
export const ChatModel: Reader<ChatModel> = shorthand(
  ChatModelByFormat,
  (value) => {
    if (isMap(value)) return value;
    const name = readString(value);
    return name instanceof Problem ? name : { name, format: 'openai' };
  },
  (ref) => ({ anyOf: [ref(ChatModelByFormat), { type: 'string' }] }),
);

/** `true`, `false`, or `auto` (decided by the gateway's certificate). */
export const HttpsChoice: Reader<boolean | 'auto'> = oneOf<boolean | 'auto'>(
  (value) => {
    if (value === 'auto') return choice(['auto'], 'literal_error');
    return bool().safeParse(value).success
      ? bool()
      : new Problem(`must be true, false or auto, got ${quote(value)}`);
  },
  { anyOf: [{ type: 'boolean' }, { type: 'string', const: 'auto' }] },
);

/** Number of replicas; the upper bound is required, a missing lower bound is 0. */
export const Replicas: Reader<{ min: number; max: number }> = shorthand(
  RangeInt.transform((range: Range, ctx) => {
    const { min, max } = range;
    if (max === null) {
      reportIssue(ctx, range, new Problem("needs an upper bound: write '1..4' instead of '1..'"));
    } else if ((min ?? 0) < 0 || max < 0) {
      reportIssue(ctx, range, new Problem(`must not be negative, got ${min ?? max}`));
    }
    return { min: min ?? 0, max: max ?? 0 };
  }),
  (value) => value,
  (ref) => ref(RangeInt),
);

/** Windows over which requests are counted, in seconds. */
export const SCALING_WINDOWS = [30, 60, 300] as const;

export const ScalingWindow: Reader<number> = reader(
  (value) => {
    const seconds = readDuration(value);
    if (seconds instanceof Problem || SCALING_WINDOWS.some((known) => known === seconds))
      return seconds;
    return new Problem(`must be one of 30s, 1m, 5m, got ${quote(value)}`);
  },
  { anyOf: [{ type: 'integer' }, { type: 'string' }] },
  { type: 'integer' },
);

/** `window` null = 60 s. */
export const ScalingSpec = named(
  'ScalingSpec',
  closed({
    metric: choice(['rps'], 'literal_error'),
    target: float({ gt: 0 }),
    window: optional(ScalingWindow),
    scale_up_delay: Duration.default(300),
    scale_down_delay: Duration.default(600),
  }),
);
export type ScalingSpec = z.infer<typeof ScalingSpec>;

export const IPAddressPartitioningKey = named(
  'IPAddressPartitioningKey',
  closed({ type: choice(['ip_address'], 'literal_error').default('ip_address') }),
);
export type IPAddressPartitioningKey = z.infer<typeof IPAddressPartitioningKey>;

export const HeaderPartitioningKey = named(
  'HeaderPartitioningKey',
  closed({
    type: choice(['header'], 'literal_error').default('header'),
    header: string({ max: 500, pattern: /^[a-zA-Z0-9-_]+$/, meaning: 'the name of a header' }),
  }),
);
export type HeaderPartitioningKey = z.infer<typeof HeaderPartitioningKey>;

/** By what requests belong together. */
export const PartitioningKey = tagged('type', {
  ip_address: IPAddressPartitioningKey,
  header: HeaderPartitioningKey,
});
export type PartitioningKey = z.infer<typeof PartitioningKey>;

const MAX_RATE = Number((2n ** 63n - 1n) / 60n);
const MAX_BURST = Number(2n ** 63n - 1n);

export const RateLimit = named(
  'RateLimit',
  closed({
    prefix: string({
      max: 4094,
      pattern: /^\/[^\s\\{}]*$/,
      meaning: "a path like '/api/' without blanks, backslashes and braces",
    }).default('/'),
    key: PartitioningKey.default({ type: 'ip_address' }),
    rps: float({ ge: 1 / 60, le: MAX_RATE }),
    burst: int({ ge: 0, le: MAX_BURST }).default(0),
  }),
);
export type RateLimit = z.infer<typeof RateLimit>;

export const RateLimits = z.array(RateLimit).superRefine((limits, ctx) => {
  const twice = firstDuplicate(limits.map((limit) => limit.prefix));
  if (twice !== undefined) {
    reportIssue(ctx, limits, new Problem(`has two entries with the prefix ${quote(twice)}`));
  }
});

const MAX_REPLICAS = 10_000;

/** How replicas are replaced by those of an update. `deadline` null = 10 minutes. Ours. */
export const Rollout = named(
  'Rollout',
  withRules(
    closed({
      surge: int({ ge: 0, le: MAX_REPLICAS }).default(1),
      max_unavailable: int({ ge: 0, le: MAX_REPLICAS }).default(0),
      deadline: OffableDuration.default(null),
      canary: optional(int({ ge: 1, le: MAX_REPLICAS })),
      hold: bool().default(false),
    }),
    (rollout, broken) => {
      if (rollout.surge === 0 && rollout.max_unavailable === 0) {
        broken(['surge', 'max_unavailable'], 'needs one of surge and max_unavailable above 0');
      }
      if (rollout.hold && rollout.canary === null) {
        broken(['hold', 'canary'], 'needs canary: the number of new replicas at which to hold');
      }
    },
  ),
);
export type Rollout = z.infer<typeof Rollout>;

export const HTTPHeaderSpec = named(
  'HTTPHeaderSpec',
  closed({ name: string({ min: 1, max: 256 }), value: string({ min: 1, max: 2048 }) }),
);
export type HTTPHeaderSpec = z.infer<typeof HTTPHeaderSpec>;

export const ProbeUrl: Reader<string> = reader(
  (value) => {
    const url = readString(value);
    if (url instanceof Problem) return url;
    if (!url.startsWith('/')) return new Problem(`must begin with '/', got ${quote(url)}`);
    if (url.length > 2048) return new Problem('must have 2048 characters at most');
    return /[\p{C}\p{Zl}\p{Zp}]/u.test(url)
      ? new Problem('must have printable characters only')
      : url;
  },
  { type: 'string' },
);

export const PROBE_METHODS = ['get', 'post', 'put', 'delete', 'patch', 'head'] as const;

/** Null parts mean the defaults: `/`, `get`, 10 s, 15 s, once, not until ready. */
export const ProbeConfig = named(
  'ProbeConfig',
  withRules(
    closed({
      type: choice(['http'], 'literal_error'),
      url: optional(ProbeUrl),
      method: optional(choice(PROBE_METHODS, 'literal_error')),
      headers: z.array(HTTPHeaderSpec).max(16).default([]),
      body: optional(string({ min: 1, max: 2048 })),
      timeout: optional(duration({ ge: 1 })),
      interval: optional(duration({ ge: 1 })),
      ready_after: optional(int({ ge: 1 })),
      until_ready: optional(bool()),
    }),
    (probe, broken) => {
      if (probe.body != null && (probe.method === 'get' || probe.method === 'head')) {
        broken(['body', 'method'], `can't send a body with method ${probe.method}: use post`);
      }
    },
  ),
);
export type ProbeConfig = z.infer<typeof ProbeConfig>;

export const Probes = z.array(ProbeConfig).superRefine((probes, ctx) => {
  if (firstDuplicate(probes.map((probe) => JSON.stringify(probe))) !== undefined) {
    reportIssue(ctx, probes, new Problem('has two equal probes: remove one'));
  }
});
