import { type ColumnChoice, parseColumnChoice } from './column-choice.ts';

/** Filters and columns of a list under a name. */
export interface SavedView {
  readonly name: string;
  readonly filters: Readonly<Record<string, string>>;
  /** Absent in views that earlier versions saved: they leave the columns as they are. */
  readonly columns?: ColumnChoice;
}

/** The filters and columns that a list shows now. */
export type ShownView = Required<Omit<SavedView, 'name'>>;

const MOST_VIEWS = 50;

export function parseViews(saved: unknown): readonly SavedView[] {
  if (!Array.isArray(saved)) return [];
  return saved.flatMap((one): SavedView[] => {
    const { name, filters, columns } = (one ?? {}) as Record<string, unknown>;
    if (typeof name !== 'string' || typeof filters !== 'object' || filters === null) return [];
    const texts = Object.entries(filters).filter(([, value]) => typeof value === 'string');
    const view = { name, filters: Object.fromEntries(texts) };
    return [columns === undefined ? view : { ...view, columns: parseColumnChoice(columns) }];
  });
}

/** Replaces a view of the same name. Throws, for the reader, if there are as many views as are kept. */
export function withView(views: readonly SavedView[], view: SavedView): readonly SavedView[] {
  const others = views.filter(({ name }) => name !== view.name);
  if (others.length >= MOST_VIEWS) {
    throw new Error(
      `This browser remembers ${MOST_VIEWS} views of a list. Forget one of them first.`,
    );
  }
  return [...others, view].sort((a, b) => a.name.localeCompare(b.name, 'en'));
}

/** The view that shows exactly these filters and columns. */
export function currentView(
  views: readonly SavedView[],
  { filters, columns }: ShownView,
): SavedView | null {
  const keys = Object.keys(filters);
  const isSame = (view: SavedView) =>
    Object.keys(view.filters).length === keys.length &&
    keys.every((key) => view.filters[key] === filters[key]) &&
    (view.columns === undefined || JSON.stringify(view.columns) === JSON.stringify(columns));
  return views.find(isSame) ?? null;
}
