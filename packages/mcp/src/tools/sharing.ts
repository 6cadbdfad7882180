/** What projects share: quotas, shares and the queue. All of it is read; quotas are set by people. */
import { amountText, resourceText, shownUses } from '@dstack/contract/quota-text';
import type { KeptBackRun, QueuedRun, Quota, QuotaUse } from '@dstack/contract/wire';
import * as z from 'zod';
import { firstOf } from '../bounds.ts';
import { tool } from '../tool.ts';

const MOST_QUOTAS = 50;

/** Uses of one quota in an answer: a quota of each user has some for every user. */
const MOST_USES = 50;

const UseSummary = z.object({
  resource: z.string(),
  user: z.string().nullable().describe('Whose use; null: of the project as a whole'),
  used: z.number(),
  guaranteed: z.number().nullable(),
  limit: z.number().nullable(),
  text: z.string(),
});

export const quotasTool = tool({
  name: 'list_quotas',
  title: 'List quotas',
  description:
    'Lists the quotas of the project: what is used, guaranteed and allowed of GPUs, CPUs, memory, instances, cost per hour and waiting runs. Without quotas nothing is limited.',
  kind: 'read',
  input: z.object({}),
  output: z.object({
    quotas: z.array(
      z.object({
        project: z.string(),
        fleet: z.string().nullable().describe('null: all fleets'),
        user: z.string().nullable().describe('*: each user by himself; null: the project'),
        weight: z.number().nullable(),
        uses: z.array(UseSummary),
        uses_left_out: z.number(),
      }),
    ),
    quotas_left_out: z.number(),
    notes: z.array(z.string()),
  }),
  run: async (_input, { client, project }) => {
    const quotas = await client.quotas.list(project.name);
    const { shown, left_out } = firstOf(quotas, MOST_QUOTAS);
    const notes = quotas.length === 0 ? ['No quotas: nothing is limited.'] : [];
    return { data: { quotas: shown.map(quotaSummary), quotas_left_out: left_out, notes } };
  },
});

function quotaSummary(quota: Quota) {
  const { shown, left_out } = firstOf(shownUses(quota), MOST_USES);
  return {
    project: quota.project_name,
    fleet: quota.fleet_name,
    user: quota.user_name,
    weight: quota.weight,
    uses: shown.map(useSummary),
    uses_left_out: left_out,
  };
}

function useSummary({ resource, user_name: user, used, guaranteed, limit }: QuotaUse) {
  const text =
    limit === null
      ? resourceText(resource, used)
      : `${amountText(resource, used)} of ${resourceText(resource, limit)}`;
  return { resource, user, used, guaranteed, limit, text };
}

const MOST_SHARES = 100;

export const sharesTool = tool({
  name: 'list_shares',
  title: 'Show fair shares',
  description:
    'Shows what projects and their users have used of a pool that is shared by weight, and whose run is next: the lowest ratio is placed first.',
  kind: 'read',
  input: z.object({}),
  output: z.object({
    shares: z.array(
      z.object({
        project: z.string(),
        user: z.string().nullable().describe('null: the project as a whole'),
        weight: z.number(),
        usage_gpu_hours: z.number().describe('Half is forgotten in each half-life'),
        gpus_now: z.number(),
        ratio: z.number().describe('Use for each unit of weight'),
        next_run: z.string().nullable(),
      }),
    ),
    shares_left_out: z.number(),
    notes: z.array(z.string()),
  }),
  run: async (_input, { project }) => {
    const shares = await project.shares();
    const { shown, left_out } = firstOf(shares, MOST_SHARES);
    const none = 'Nothing is shared by weight: runs are placed by priority and age.';
    return {
      data: {
        shares: shown.map((share) => ({
          project: share.project_name ?? 'another project',
          user: share.user_name,
          weight: share.weight,
          usage_gpu_hours: share.usage,
          gpus_now: share.rate,
          ratio: share.ratio,
          next_run: share.next,
        })),
        shares_left_out: left_out,
        notes: shares.length === 0 ? [none] : [],
      },
    };
  },
});

const MOST_RUNS = 100;

export const listQueueTool = tool({
  name: 'list_queue',
  title: 'Show the queue',
  description:
    'Shows the runs that wait for a place, in their order, with expected start and what they lack, and the runs that a hold or depends_on keeps out of the queue.',
  kind: 'read',
  input: z.object({ limit: z.int().min(1).max(MOST_RUNS).default(30) }),
  output: z.object({
    runs: z.array(
      z.object({
        place: z.number(),
        run: z.string().describe('Runs of other projects have no name'),
        replica: z.number().nullable(),
        project: z.string().nullable(),
        user: z.string().nullable(),
        nodes: z.number().nullable(),
        priority: z.number().nullable(),
        waiting_since: z.string().nullable(),
        expected_start: z.string().nullable().describe('null: not known'),
        is_estimate: z.boolean().describe('true: expected_start is no promise'),
        is_reserved: z.boolean().describe('true: instances are kept for it'),
        why: z.string().nullable(),
      }),
    ),
    runs_left_out: z.number(),
    kept_back: z.array(
      z.object({
        run: z.string(),
        user: z.string(),
        held_by: z.string().nullable(),
        waits_for: z.array(z.string()),
        dependency_failed: z.boolean().describe('true: it stays until it is released'),
      }),
    ),
    kept_back_left_out: z.number(),
  }),
  run: async ({ limit }, { project }) => {
    const { runs, total, kept_back, kept_back_total } = await project.queue(limit);
    const kept = firstOf(kept_back, limit).shown;
    return {
      data: {
        runs: runs.map(queuedSummary),
        runs_left_out: Math.max(0, total - runs.length),
        kept_back: kept.map(keptBackSummary),
        kept_back_left_out: Math.max(0, kept_back_total - kept.length),
      },
    };
  },
});

function queuedSummary(one: QueuedRun) {
  const { place, run, replica, project, user, nodes, priority, why } = one;
  return {
    ...{ place, run, replica, project, user, nodes, priority, why },
    waiting_since: one.since,
    expected_start: one.expected_start,
    is_estimate: one.is_about,
    is_reserved: one.is_reserved,
  };
}

function keptBackSummary({ run, user, hold, waits_for, is_unmet }: KeptBackRun) {
  return { run, user, held_by: hold?.by ?? null, waits_for, dependency_failed: is_unmet };
}
