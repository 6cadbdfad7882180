/** Prism as a proxy: it checks requests and answers against a provider's OpenAPI document. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { freePort } from '../../free-port.ts';

const run = promisify(execFile);
const INSTALLER = resolve(import.meta.dirname, '..', '..', '..', 'prism', 'get-prism.sh');
const INSTALL_MS = 10 * 60_000;

export interface PrismProxy extends AsyncDisposable {
  /** Clients use it in place of `upstream`. */
  readonly url: string;
  /**
   * The violations found so far, like `get /v2/sizes: VIOLATIONS` (of an answer) or `post /v2/droplets:
   * UNPROCESSABLE_ENTITY` (of a request, which has not reached `upstream`).
   */
  readonly violations: readonly string[];
}

const REFUSED = /\[HTTP SERVER\] (\w+ \S+) .*terminated with error: \S+#(\w+)/;

/**
 * Resolves when it listens, which takes seconds. A wrong request is answered by 401 or 422, a wrong answer becomes
 * 500 with the list of violations.
 */
export async function startPrism(options: {
  /** Path of the OpenAPI document. */
  readonly document: string;
  readonly upstream: string;
}): Promise<PrismProxy> {
  const program = (await run(INSTALLER, [], { timeout: INSTALL_MS })).stdout.trim();
  const port = String(await freePort());
  const { document, upstream } = options;
  const args = [program, 'proxy', '--errors', '--port', port, document, upstream];
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const violations: string[] = [];
  const printed: string[] = [];
  const listening = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      printed.push(line);
      if (line.includes('Prism is listening')) listening.resolve();
      const [, call = '', kind] = REFUSED.exec(line) ?? [];
      if (kind !== undefined) violations.push(`${call.trim()}: ${kind}`);
    });
  }
  void ended.then(() => listening.reject(new Error(`Prism ended: ${printed.join('\n')}`)));
  await listening.promise;
  return {
    url: `http://127.0.0.1:${port}`,
    violations,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await ended;
    },
  };
}
