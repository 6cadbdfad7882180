import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayFrame, GatewayModelUse } from '@dstack/contract/agent';
import {
  type KeptCount,
  KeptCounts,
  keptCounts,
  type ProxyLog,
  SpoolDelivery,
} from '@dstack/proxy';
import { countsFrame } from './gateway-desk.ts';
import { GATEWAY_USES } from './use-kind.ts';

export interface SpoolsOptions {
  readonly stateDir: string;
  /** Returns whether there is a server. */
  readonly send: (frame: GatewayFrame) => boolean;
  readonly log: ProxyLog;
}

/** In which earlier versions kept counts of seconds that are long over. */
const OLD_FILES = ['counts.json', 'sent-counts.json'];

/** Counted requests and uses of models, which stay on the disk until the server has stored them. */
export class Spools {
  readonly counts: SpoolDelivery<KeptCount>;
  readonly uses: SpoolDelivery<GatewayModelUse>;
  /** Keeps the requests that nginx has answered itself. */
  readonly keptByNginx: KeptCounts;
  /** Where workers keep theirs. */
  readonly dirs: { readonly uses: string; readonly counts: string };

  constructor({ stateDir, send, log }: SpoolsOptions) {
    const dirs = { uses: join(stateDir, 'usage'), counts: join(stateDir, 'counts') };
    this.dirs = dirs;
    for (const name of OLD_FILES) rmSync(join(stateDir, name), { force: true });
    this.keptByNginx = new KeptCounts({
      ...{ dir: dirs.counts, now: Date.now, log },
      link: { isAlone: false, ask: async () => this.counts.deliver() as never },
    });
    this.counts = new SpoolDelivery({
      ...{ dir: dirs.counts, kind: keptCounts(() => Date.now() * 1000) },
      send: ({ n, batch, items }) => send(countsFrame(n, batch, items)),
    });
    this.uses = new SpoolDelivery({
      ...{ dir: dirs.uses, kind: GATEWAY_USES },
      send: ({ n, batch, items }) => send({ type: 'usage', n, batch, uses: items }),
    });
  }

  deliver(): void {
    this.uses.deliver();
    this.counts.deliver();
  }

  connected(): void {
    this.counts.connected();
    this.uses.connected();
  }

  disconnected(): void {
    this.uses.disconnected();
    this.counts.disconnected();
  }
}
