/** The build of the web UI that this page belongs to, by the address of its first script; null: unknown. */
export function ownBuild(page: Document): string | null {
  const entry = page.querySelector<HTMLScriptElement>('script[type="module"][src]');
  return entry === null ? null : new URL(entry.src, page.baseURI).pathname;
}

export type ServedBuild = 'own' | 'other' | 'unknown';

/** Compares this page's build with the one that the server serves now. */
export async function servedBuild(page: Document = document): Promise<ServedBuild> {
  const own = ownBuild(page);
  if (own === null) return 'unknown';
  try {
    const answer = await fetch('/', { headers: { accept: 'text/html' }, cache: 'no-store' });
    if (!answer.ok) return 'unknown';
    return (await answer.text()).includes(`"${own}"`) ? 'own' : 'other';
  } catch {
    // The server does not answer, which the page reports by other means.
    return 'unknown';
  }
}
