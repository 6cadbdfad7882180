import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { chunkGroups } from './chunks.ts';
import { firstFrame } from './src/app/first-frame/plugin.ts';

/** The server that `vite` and `vite preview` pass API calls to while the UI is developed. */
const server = process.env.DSTACK_SERVER_URL ?? 'http://127.0.0.1:3000';
const proxy = Object.fromEntries(
  ['/api', '/proxy', '/docs', '/openapi.json'].map((path) => [
    path,
    { target: server, ws: true, changeOrigin: false },
  ]),
);

/**
 * Every style sheet states the order of the layers, because bundles may begin with any of them, and the
 * first one that is read decides.
 */
const layerOrder: Plugin = {
  name: 'layer-order',
  enforce: 'pre',
  transform: {
    filter: { id: /\.css$/ },
    handler: (code) => `@layer reset, tokens, ui, page;\n${code}`,
  },
};

/**
 * The terminal writes colours that programs choose into the attribute `style`, which the content security
 * policy refuses. The same text is allowed as a property. A version that writes it otherwise fails the build.
 */
const terminalStyles: Plugin = {
  name: 'terminal-styles',
  apply: 'build',
  transform: {
    filter: { id: /@xterm\/xterm\/lib\/xterm\.mjs$/ },
    handler: (code) => {
      const attribute = /\.setAttribute\("style",(`\$\{[^`]{1,80}\};`)\)/g;
      const changed = code.replaceAll(attribute, '.style.cssText=$1');
      if (changed === code)
        throw new Error('xterm no longer writes `style` as this plugin expects');
      return { code: changed, map: null };
    },
  },
};

/** Fonts are requested together with the scripts, so that the first text has them. */
const preloadFonts: Plugin = {
  name: 'preload-fonts',
  transformIndexHtml: {
    order: 'post',
    handler: (_html, { bundle }) =>
      Object.keys(bundle ?? {})
        .filter((file) => file.endsWith('.woff2'))
        .map((file) => ({
          tag: 'link',
          attrs: {
            rel: 'preload',
            href: `/${file}`,
            as: 'font',
            type: 'font/woff2',
            crossorigin: '',
          },
          injectTo: 'head',
        })),
  },
};

export default defineConfig(({ command }) => {
  // Test runners set it to `test`, which would deliver the slow build of React.
  if (command === 'build') process.env.NODE_ENV = 'production';
  return {
    root: import.meta.dirname,
    plugins: [layerOrder, terminalStyles, preloadFonts, firstFrame, react()],
    server: { proxy },
    preview: { proxy },
    build: {
      manifest: true,
      // Small fonts would become `data:` addresses, which the content security policy refuses.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      target: ['chrome123', 'firefox128', 'safari17.5'],
      // An older target would rewrite `light-dark()` into variables that ignore `data-theme`.
      cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
      chunkSizeWarningLimit: 700,
      rolldownOptions: { output: { codeSplitting: chunkGroups() } },
    },
  };
});
