import uFuzzy from '@leeoniya/ufuzzy';
import type { LucideIcon } from 'lucide-react';

/** A line of the palette. */
export interface PaletteEntry {
  readonly id: string;
  readonly group: string;
  readonly label: string;
  /** Beside the label: the project, the status. */
  readonly hint?: string;
  readonly keywords?: string;
  readonly keys?: string;
  readonly icon?: LucideIcon;
  readonly run: () => void;
}

/** More are never shown: each is an element that screen readers read. */
const MOST = 50;
const MOST_UNASKED = 24;

const fuzzy = new uFuzzy({ intraMode: 1 });

/** The best matches first; without a query the first ones of each group. */
export function findEntries(
  entries: readonly PaletteEntry[],
  query: string,
): readonly PaletteEntry[] {
  const needle = query.trim();
  if (needle === '') return entries.slice(0, MOST_UNASKED);
  const texts = entries.map(({ label, keywords }) =>
    keywords === undefined ? label : `${label} ${keywords}`,
  );
  const [found, info, order] = fuzzy.search(texts, needle, 1);
  if (found === null) return [];
  const ranked = info && order ? order.map((at) => info.idx[at] ?? 0) : found;
  return ranked.slice(0, MOST).flatMap((at) => entries[at] ?? []);
}

export interface EntryGroup {
  readonly value: string;
  readonly items: readonly PaletteEntry[];
}

/** In the order in which the groups first occur. */
export function groupEntries(entries: readonly PaletteEntry[]): readonly EntryGroup[] {
  const groups = new Map<string, PaletteEntry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.group);
    if (group) group.push(entry);
    else groups.set(entry.group, [entry]);
  }
  return [...groups].map(([value, items]) => ({ value, items }));
}
