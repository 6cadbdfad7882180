/** The usage of the projects of a pool, beside their weights, for people. */
import type { Share, ShareList } from '@dstack/contract/wire';
import { type Id, inFairOrder, ShareLedger } from '@dstack/core';
import type { SharesView, WaitingHead } from '@dstack/store';
import type { Asker } from '../explain/service.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

export async function listShares(deps: HttpDeps, { project, user }: Asker): Promise<ShareList> {
  const view = await deps.store.quotas.shares(project.id);
  if (view === null) return { shares: [] };
  const ids = await visibleProjects(deps, user);
  const isVisible = (id: string) => id === project.id || ids === null || ids.includes(id);
  const table = new ShareTable(view, isVisible);
  const shown = [...view.projects.keys()].filter((id) => id === project.id || table.concerns(id));
  const projects = shown.sort((a, b) => table.compareProjects(a, b));
  return { shares: projects.flatMap((id) => table.rowsOf(id)) };
}

class ShareTable {
  readonly #view: SharesView;
  readonly #ledger: ShareLedger;
  readonly #isVisible: (projectId: Id) => boolean;
  /** In the order in which they get their places. */
  readonly #heads: readonly WaitingHead[];

  constructor(view: SharesView, isVisible: (projectId: Id) => boolean) {
    const { states, quotas, heads } = view;
    this.#view = view;
    this.#isVisible = isVisible;
    this.#ledger = new ShareLedger({ states, gpuPrices: {} }, quotas);
    this.#heads = [...inFairOrder(heads, (head) => head, this.#ledger)];
  }

  /** Whether the project has a part in the sharing. */
  concerns(projectId: Id): boolean {
    const isOf = (one: { readonly projectId: Id }) => one.projectId === projectId;
    return (
      this.#view.states.some((one) => isOf(one) && (one.rate > 0 || one.usage >= LEAST)) ||
      this.#view.quotas.some(({ quota }) => isOf(quota) && quota.weight !== null) ||
      this.#heads.some(isOf)
    );
  }

  compareProjects(a: Id, b: Id): number {
    const names = [a, b].map((id) => this.#view.projects.get(id) ?? '');
    return this.#ledger.compareProjects(a, b) || compareText(names[0], names[1]);
  }

  rowsOf(projectId: Id): Share[] {
    const whole = this.#row(projectId, null);
    if (!this.#isVisible(projectId)) return [{ ...whole, project_name: null, next: null }];
    const name = (userId: Id) => this.#view.userNames[userId] ?? '';
    const users = this.#usersOf(projectId).filter((id) => name(id) !== '');
    users.sort(
      (a, b) => this.#ledger.compareUsers(projectId, a, b) || compareText(name(a), name(b)),
    );
    return [whole, ...users.map((id) => this.#row(projectId, id))];
  }

  #usersOf(projectId: Id): Id[] {
    const { states, quotas } = this.#view;
    const using = states.filter((one) => one.rate > 0 || one.usage >= LEAST);
    const weighed = quotas.flatMap(({ quota }) =>
      quota.weight !== null && quota.userId !== null
        ? [{ projectId: quota.projectId, userId: quota.userId }]
        : [],
    );
    const all = [...using, ...weighed, ...this.#heads].filter((one) => one.projectId === projectId);
    return [...new Set(all.map(({ userId }) => userId))];
  }

  #row(projectId: Id, userId: Id | null): Share {
    const isOf = (one: { readonly projectId: Id; readonly userId: Id }) =>
      one.projectId === projectId && (userId === null || one.userId === userId);
    const states = this.#view.states.filter(isOf);
    return {
      project_name: this.#view.projects.get(projectId) ?? null,
      user_name: userId === null ? null : (this.#view.userNames[userId] ?? null),
      weight: this.#ledger.weightOf(projectId, userId),
      usage: rounded(states.reduce((sum, { usage }) => sum + usage, 0)),
      rate: states.reduce((sum, { rate }) => sum + rate, 0) / 1_000_000,
      ratio: rounded(this.#ledger.ratioOf(projectId, userId)),
      next: this.#heads.find(isOf)?.name ?? null,
    };
  }
}

/** GPU hours: what is less is nothing to people. */
const LEAST = 1e-3;

const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;

const compareText = (a = '', b = ''): number => (a < b ? -1 : Number(a > b));
