import type { Run } from '@dstack/contract/wire';
import { renderApp } from './render-app.tsx';
import { aRun } from './runs.ts';

/** The page at `path` of the run that `get` returns, whose jobs have printed `output`; `applied`: what was submitted again. */
export function renderRun(path: string, get: () => Run, output = '', more: object = {}) {
  const applied: unknown[] = [];
  const app = renderApp(path, {
    project: () => ({
      runs: {
        get: async () => get(),
        stop: async () => {},
        rerun: async (...request: unknown[]) => {
          applied.push(request);
          return aRun(String(request[1]));
        },
      },
      logs: {
        stream: async function* () {
          const bytes = new TextEncoder().encode(output);
          if (bytes.length > 0) yield { bytes, end: bytes.length };
        },
      },
      ...more,
    }),
  });
  return app.then((rendered) => ({ ...rendered, applied }));
}
