import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayCommand, GatewayFrame, GatewayModelUse } from '@dstack/contract/agent';
import { usageSum } from '@dstack/contract/usage';

type Sent = Extract<GatewayFrame, { type: 'usage' }>;

/** Uses in one message. */
const MOST = 1000;

/** Delivers what workers have stored about uses of models, until the server has confirmed it. */
export class ModelUseSpool {
  readonly #dir: string;
  readonly #send: (frame: Sent) => boolean;
  #sent: { readonly n: number; readonly files: readonly string[] } | null = null;
  #last = 0;

  constructor(dir: string, send: (frame: Sent) => boolean) {
    this.#dir = dir;
    this.#send = send;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /** The server is there again: what it has not confirmed is sent again. */
  connected(): void {
    this.#sent = null;
    this.deliver();
  }

  deliver(): void {
    if (this.#sent !== null) return;
    const files = readdirSync(this.#dir).filter((name) => name.endsWith('.json'));
    const uses = new Map<string, GatewayModelUse>();
    const taken: string[] = [];
    for (const file of files.slice(0, MOST)) {
      const use = readUse(join(this.#dir, file));
      taken.push(file);
      if (use === null) continue;
      const key = JSON.stringify([use.project, use.user, use.model, use.day]);
      const before = uses.get(key);
      uses.set(key, before ? usageSum(before, use) : use);
    }
    if (taken.length === 0) return;
    this.#last += 1;
    const frame: Sent = { type: 'usage', n: this.#last, uses: [...uses.values()] };
    if (this.#send(frame)) this.#sent = { n: this.#last, files: taken };
  }

  used({ n }: Extract<GatewayCommand, { type: 'used' }>): void {
    if (this.#sent?.n !== n) return;
    for (const file of this.#sent.files) rmSync(join(this.#dir, file), { force: true });
    this.#sent = null;
    this.deliver();
  }
}

/** Null: the file is damaged. */
function readUse(path: string): GatewayModelUse | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as GatewayModelUse;
  } catch {
    return null;
  }
}
