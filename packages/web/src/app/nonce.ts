/**
 * The content security policy allows style elements with the page's nonce only. Libraries that add style
 * elements (CodeMirror, xterm) cannot all be given it, so that every new element receives it here.
 */
export function installNonce(document: Document): string | undefined {
  const meta = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]');
  const nonce = meta?.nonce || undefined;
  if (nonce === undefined) return undefined;
  const create = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = create(name, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  }) as typeof document.createElement;
  return nonce;
}
