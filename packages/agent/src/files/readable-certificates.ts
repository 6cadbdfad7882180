import { chmodSync, copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Another user may not be able to read the agent's files with certificate authorities. They are not
 * secret, so that user gets copies in `dir`.
 */
export function withReadableFiles(env: NodeJS.ProcessEnv, dir: string): NodeJS.ProcessEnv {
  const files = ['GIT_SSL_CAINFO', 'SSL_CERT_FILE'].flatMap((name) => {
    const path = env[name];
    if (!path || !existsSync(path)) return [];
    const copy = join(dir, `${name.toLowerCase()}.pem`);
    copyFileSync(path, copy);
    chmodSync(copy, 0o644);
    return [[name, copy]];
  });
  return { ...env, ...Object.fromEntries(files) };
}
