/** Starts a simulated provider with its API; see the README of this folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../random.ts';
import { CloudAccount } from './account.ts';
import { CloudCalls } from './calls.ts';
import { type CloudClock, runningClock } from './clock.ts';
import { controlFile } from './control-file.ts';
import type { CloudKnobs } from './faults.ts';
import { type CloudLogEntry, startFront } from './front.ts';
import type { VmHosts } from './hosts.ts';
import { PERSONALITIES, type PersonalityName } from './personalities/index.ts';

export interface CloudOptions {
  readonly personality: PersonalityName;
  /** By default that of this computer; `runningClock(20)` is 20 times as fast. */
  readonly clock?: CloudClock;
  /** The seed of random faults and boot times; 1 by default. */
  readonly seed?: number;
  /** Whether the provider's limits on calls hold; by default they do. */
  readonly limits?: boolean;
  /** By default machines are records only. `startYard()` gives them real hosts. */
  readonly hosts?: VmHosts;
  /** The address at which the API listens. */
  readonly host?: string;
  readonly faults?: CloudKnobs;
}

export interface Cloud extends AsyncDisposable {
  /** The root of the API, without a path. */
  readonly url: string;
  readonly apiKey: string;
  /** Everything in the account, whatever its answers contain. */
  readonly account: CloudAccount;
  /** Fixes the outcomes of single calls. */
  readonly calls: CloudCalls;
  /** Faults by chance or in general; written to `control.json` in `dir`. */
  readonly faults: { set(knobs: CloudKnobs): void };
  readonly dir: string;
  /** All requests, oldest first. */
  readonly log: readonly CloudLogEntry[];
  /** Machines that were created (`+<id>`) and have ended (`-<id>`), in order. */
  history(): readonly string[];
  /** Machines that exist, also those that still end: what a provider would charge for. */
  vms(): number;
  /** Deletes a machine as a person would at the provider's console. */
  vanish(id: string): Promise<void>;
  /**
   * The provider reclaims a machine, as it does with spot instances, `noticeSeconds` (0) after it has announced that in
   * the machine's metadata.
   */
  interrupt(
    id: string,
    how?: { readonly text?: string; readonly noticeSeconds?: number },
  ): Promise<void>;
  reboot(id: string): Promise<void>;
  sellOut(type: string, region: string): void;
  /** Ends the API and all machines. */
  close(): Promise<void>;
}

export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { clock = runningClock(), seed = 1, limits = true, hosts = null } = options;
  const personality = PERSONALITIES[options.personality];
  const dir = mkdtempSync(join(tmpdir(), `cloud-${options.personality}-`));
  const control = controlFile(dir);
  if (options.faults) control.set(options.faults);
  const common = { clock, random: new Random(seed), faults: control.current };
  const { catalog, loginUser, ids, metadata } = personality;
  const account = new CloudAccount({ ...common, catalog, loginUser, hosts, ids, metadata });
  const calls = new CloudCalls(common);
  const apiKey = personality.newApiKey();
  const { host = '127.0.0.1' } = options;
  const front = await startFront({
    ...{ personality, account, calls, apiKey, host, hasLimits: limits },
  });
  const close = async () => {
    await front.close();
    await account.vms.close();
    rmSync(dir, { recursive: true, force: true });
  };
  return {
    ...{ url: front.url, log: front.log, apiKey, account, calls, dir, close },
    faults: { set: control.set },
    history: () => account.vms.history,
    vms: () => account.vms.all().length,
    vanish: (id) => account.vms.vanish(id),
    interrupt: (id, { text = 'reclaimed by the provider', noticeSeconds = 0 } = {}) =>
      account.vms.interrupt(id, text, noticeSeconds),
    reboot: (id) => account.vms.reboot(id),
    sellOut: (type, region) => account.sellOut(type, region),
    [Symbol.asyncDispose]: close,
  };
}
