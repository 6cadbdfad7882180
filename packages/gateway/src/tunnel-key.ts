import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newEd25519Pair } from '@dstack/ssh/ed25519-pair';

export interface TunnelKey {
  readonly privateKey: string;
  /** Without a comment. */
  readonly publicKey: string;
}

/** The key with which this gateway reaches replicas on other hosts; it never leaves this one. */
export function keyForTunnels(stateDir: string): TunnelKey {
  const path = join(stateDir, 'tunnel-key.json');
  if (!existsSync(path)) {
    const { privateKey, publicKey } = newEd25519Pair('dstack gateway');
    const [type = '', blob = ''] = publicKey.split(' ');
    const key: TunnelKey = { privateKey, publicKey: `${type} ${blob}`.trim() };
    writeFileSync(`${path}.new`, JSON.stringify(key), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return JSON.parse(readFileSync(path, 'utf8')) as TunnelKey;
}
