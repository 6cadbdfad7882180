/** When to add and remove replicas of a service, by several figures. Ours: dstack 0.22.5 has `scaling`. */
import * as z from 'zod';
import { Problem, quote } from '../grammar/problem.ts';
import { duration } from './durations.ts';
import { reportIssue } from './issue.ts';
import { firstDuplicate } from './rules.ts';
import { float, optional, readString, string } from './scalars.ts';
import { choice, closed, named, type Reader, reader, tagged } from './schema-kit.ts';
import { ScalingWindow } from './service-parts.ts';

const MAX_RULES = 8;

/** Seconds for which a higher or lower number must be needed before replicas are added or removed. */
const delays = {
  scale_up_delay: duration({ ge: 0 }).default(30),
  scale_down_delay: duration({ ge: 0 }).default(300),
};

/** `window` null = 60 s. */
const measured = { window: optional(ScalingWindow), ...delays };

const PrometheusUrl: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem) return text;
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null || !/^https?:$/.test(url.protocol) || text.length > 2048) {
      return new Problem(`must be a URL like 'http://prometheus:9090', got ${quote(value)}`);
    }
    if (url.username !== '' || url.password !== '') {
      return new Problem('must not contain a user or a password');
    }
    if (url.search !== '' || url.hash !== '') {
      return new Problem("must end before '?' and '#': the server appends /api/v1/query");
    }
    return text;
  },
  { type: 'string' },
);

export const RpsRule = named(
  'RpsAutoscaling',
  closed({
    metric: choice(['rps'], 'literal_error'),
    target: float({ gt: 0 }),
    ...measured,
  }),
);

export const ConcurrencyRule = named(
  'ConcurrencyAutoscaling',
  closed({
    metric: choice(['concurrency'], 'literal_error'),
    target: float({ gt: 0 }),
    ...measured,
  }),
);

export const LATENCY_PERCENTILES = [50, 95, 99] as const;

const Percentile: Reader<number> = reader(
  (value) => {
    const number = typeof value === 'string' ? Number(value.replace(/^p/, '')) : value;
    const known = LATENCY_PERCENTILES.find((one) => one === number);
    return known ?? new Problem(`must be one of 50, 95, 99, got ${quote(value)}`);
  },
  { type: 'integer', enum: [...LATENCY_PERCENTILES] },
);

/** `percentile` null = 95. */
export const LatencyRule = named(
  'LatencyAutoscaling',
  closed({
    metric: choice(['latency'], 'literal_error'),
    target: float({ gt: 0 }),
    percentile: optional(Percentile),
    ...measured,
  }),
);

export const GpuRule = named(
  'GpuAutoscaling',
  closed({
    metric: choice(['gpu'], 'literal_error'),
    target: float({ gt: 0, le: 100 }),
    ...measured,
  }),
);

export const PrometheusRule = named(
  'PrometheusAutoscaling',
  closed({
    metric: choice(['prometheus'], 'literal_error'),
    target: float({ gt: 0 }),
    url: PrometheusUrl,
    query: string({ min: 1, max: 4096 }),
    ...delays,
  }),
);
export type PrometheusRule = z.infer<typeof PrometheusRule>;

const Rule = tagged('metric', {
  rps: RpsRule,
  concurrency: ConcurrencyRule,
  latency: LatencyRule,
  gpu: GpuRule,
  prometheus: PrometheusRule,
});

/** The rule that needs most replicas decides. */
export const Autoscaling = z
  .array(Rule)
  .min(1)
  .max(MAX_RULES)
  .superRefine((rules, ctx) => {
    const twice = firstDuplicate(
      rules.map((rule) => (rule.metric === 'prometheus' ? rule.query : rule.metric)),
    );
    if (twice !== undefined) {
      reportIssue(ctx, rules, new Problem(`has two entries for ${quote(twice)}: keep one`));
    }
  });
export type Autoscaling = z.infer<typeof Autoscaling>;
export type AutoscalingRule = Autoscaling[number];
