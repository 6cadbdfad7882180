/** The space that stored data takes, and the runs due for deletion, measured at most once in five minutes. */
import { statfs } from 'node:fs/promises';
import {
  formatOptionalTimestamp,
  formatTimestamp,
  type ServerUsage,
  type StoredKind,
} from '@dstack/contract/wire';
import { SECOND, type Timestamp } from '@dstack/core';
import {
  type DatabaseUse,
  RETENTION_RULES,
  type RetainedProject,
  type RetentionPeriod,
  type RetentionRule,
} from '@dstack/store';
import { parseState } from '../../retention/pause.ts';
import {
  cutoff,
  keptInLedger,
  keptInProject,
  type RetentionPolicy,
} from '../../retention/policy.ts';
import type { HttpDeps } from '../ports.ts';

const FRESH = 300 * SECOND;

/** More are not counted: it is the order of magnitude that matters. */
const MOST_DUE = 1000;

export class UsageReport {
  readonly #deps: HttpDeps;
  #last: { readonly at: Timestamp; readonly usage: Promise<ServerUsage> } | null = null;

  constructor(deps: HttpDeps) {
    this.#deps = deps;
  }

  /** Callers that come meanwhile wait for the same measurement. */
  read(): Promise<ServerUsage> {
    const { now } = this.#deps.context();
    if (this.#last !== null && Math.abs(now - this.#last.at) < FRESH) return this.#last.usage;
    const usage = this.#measure(now);
    this.#last = { at: now, usage };
    usage.catch(() => {
      this.#last = null;
    });
    return usage;
  }

  async #measure(now: Timestamp): Promise<ServerUsage> {
    const { store, settings, modelBodies } = this.#deps;
    const use = await store.retention.use();
    const projects = await store.retention.projects();
    const state = parseState(await store.meta.get('retention'));
    const disk = await statfs(modelBodies.dir).catch(() => null);
    const from = state === null ? 0 : Math.max(state.deletesFrom, state.trustedFrom);
    const deletesFrom = from > now ? from : null;
    return {
      measured_at: formatTimestamp(now),
      database_bytes: use.bytes,
      free_bytes: use.freeBytes,
      shrinks: use.shrinks,
      disk_free_bytes: disk && disk.bavail * disk.bsize,
      kinds: kindsOf(use, settings.retention, projects),
      log_bytes: store.shared ? null : use.logBytes,
      upload_bytes: store.shared ? null : use.uploadBytes,
      deletes_from: formatOptionalTimestamp(deletesFrom),
      due_runs: await this.#dueRuns(projects, now),
    };
  }

  async #dueRuns(projects: readonly RetainedProject[], now: Timestamp): Promise<number> {
    const { store, settings } = this.#deps;
    let count = 0;
    for (const project of projects) {
      const before = cutoff(now, keptInProject(settings.retention, project).runs);
      if (before === null) continue;
      const { projectId } = project;
      count += await store.retention.countEndedRuns(projectId, before, MOST_DUE - count);
      if (count >= MOST_DUE) break;
    }
    return count;
  }
}

/** Tables whose rows are deleted together make one kind. */
function kindsOf(
  { tables }: DatabaseUse,
  policy: RetentionPolicy,
  projects: readonly RetainedProject[],
): StoredKind[] {
  const kinds = new Map<string, StoredKind>();
  for (const { table, rows, bytes, isExact } of tables) {
    const root = rootOf(table);
    const before = kinds.get(root);
    const isRoot = root === table;
    kinds.set(root, {
      kind: root,
      rows: isRoot ? rows : (before?.rows ?? 0),
      bytes: (before?.bytes ?? 0) + bytes,
      is_exact: isExact && (before?.is_exact ?? true),
      kept_seconds: before?.kept_seconds ?? keptFor(root, policy, projects),
    });
  }
  return [...kinds.values()].sort((a, b) => b.bytes - a.bytes);
}

const RULES: Readonly<Record<string, RetentionRule>> = RETENTION_RULES;

function rootOf(table: string): string {
  const rule = RULES[table];
  return rule?.keep === 'with' ? rootOf(rule.owner) : table;
}

function keptFor(
  table: string,
  policy: RetentionPolicy,
  projects: readonly RetainedProject[],
): number | null {
  const rule = RULES[table];
  return rule?.keep === 'period' ? secondsOf(rule.period, policy, projects) : null;
}

function secondsOf(
  period: RetentionPeriod,
  policy: RetentionPolicy,
  projects: readonly RetainedProject[],
): number | null {
  switch (period) {
    case 'metrics':
      return policy.metrics.hours;
    case 'own':
      return null;
    case 'ledger':
      return keptInLedger(policy, 'parts', projects);
    case 'ledger-days':
      return keptInLedger(policy, 'days', projects);
    default:
      return policy[period];
  }
}
