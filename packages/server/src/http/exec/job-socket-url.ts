/** URLs of WebSockets into running jobs. */

export interface JobSocketUrl {
  readonly kind: 'exec' | 'port';
  readonly project: string;
  readonly run: string;
  readonly query: URLSearchParams;
}

const URL_FORM = /^\/api\/project\/([^/?]+)\/runs\/([^/?]+)\/(exec|port)(?:\?(.*))?$/;

export function isJobSocket(url: string | undefined): boolean {
  return url !== undefined && URL_FORM.test(url);
}

/** Null: another URL, or an invalid percent-encoding. */
export function jobSocketUrl(url: string): JobSocketUrl | null {
  const [, project = '', run = '', kind, query = ''] = URL_FORM.exec(url) ?? [];
  if (kind !== 'exec' && kind !== 'port') return null;
  try {
    const names = { project: decodeURIComponent(project), run: decodeURIComponent(run) };
    return { ...names, kind, query: new URLSearchParams(query) };
  } catch {
    return null;
  }
}
