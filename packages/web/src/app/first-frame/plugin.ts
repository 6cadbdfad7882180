/**
 * Puts into the page what is painted until the UI runs: a static frame, its style, and the scripts that must
 * run before it. Nothing of it waits for another request; scripts and styles load beside it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import type { Plugin } from 'vite';

const folder = import.meta.dirname;
const read = (path: string): string => readFileSync(join(folder, path), 'utf8').trim();
const minify = (code: string, loader: 'js' | 'css'): string =>
  transformSync(code, { loader, minify: true, target: 'es2022' }).code.trim();

export const firstFrame: Plugin = {
  name: 'first-frame',
  transformIndexHtml: {
    order: 'post',
    handler: (html) => withStylesBelow(withParts(html)),
  },
};

function withParts(html: string): string {
  return html
    .replace('<!-- inline theme -->', () => `<script>${minify(read('theme.js'), 'js')}</script>`)
    .replace('<!-- inline load-again -->', () => {
      return `<script>${minify(read('load-again.js'), 'js')}</script>`;
    })
    .replace('<!-- inline frame.css -->', () => {
      return `<style nonce="__CSP_NONCE__">${frameStyle(read('frame.css'), tokens())}</style>`;
    })
    .replace('<!-- inline frame -->', () => {
      const lean = read('frame.html').replaceAll(/>\s+</g, '><');
      return lean.replace('<!-- inline logo -->', () => read('../../../public/favicon.svg'));
    });
}

/** Style sheets in the head would delay the first paint; below the frame they delay only what follows. */
function withStylesBelow(html: string): string {
  // The bundler writes each of them on a line of its own.
  const lines = html.split('\n');
  const isSheet = (line: string): boolean => line.trimStart().startsWith('<link rel="stylesheet"');
  const sheets = lines.filter(isSheet).map((line) => line.trim());
  const rest = lines.filter((line) => !isSheet(line)).join('\n');
  return rest.replace('<!-- styles -->', () => sheets.join('\n    '));
}

function tokens(): string {
  return read('../styles/tokens.css');
}

/** With the values of the tokens that it names, and of those that these name. */
export function frameStyle(css: string, tokens: string): string {
  const values = new Map<string, string>();
  const root = tokens.split(':root {', 2)[1]?.split('}', 1)[0] ?? '';
  for (const declaration of root.split(';')) {
    const colon = declaration.indexOf(':');
    // Comments may stand before the name.
    const name = declaration.slice(0, colon).split(/\s/).at(-1) ?? '';
    if (name.startsWith('--')) values.set(name, declaration.slice(colon + 1).trim());
  }
  const needed = new Map<string, string>();
  const add = (text: string): void => {
    for (const [, name = ''] of text.matchAll(/var\((--[\w-]+)\)/g)) {
      if (needed.has(name)) continue;
      const value = values.get(name);
      if (value === undefined) throw new Error(`tokens.css has no ${name}`);
      needed.set(name, value);
      add(value);
    }
  };
  add(css);
  const list = [...needed].map(([name, value]) => `${name}:${value}`).join(';');
  const themes = ['light', 'dark'].map((name) => `:root[data-theme=${name}]{color-scheme:${name}}`);
  const block = `:root{color-scheme:light dark;${list}}${themes.join('')}`;
  return minify(`@layer reset,tokens,ui,page;@layer tokens{${block}}${css}`, 'css');
}
