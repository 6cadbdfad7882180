import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayFrame } from '@dstack/contract/agent';
import { boundLog, controlOf, learnAddress, PlainEngine, plainSocket } from '@dstack/proxy';
import { AdmittedCallers } from './admitted-callers.ts';
import { Certificates } from './certificates/certificates.ts';
import { DnsRecords } from './certificates/dns-records.ts';
import { fullDisk } from './disk.ts';
import { Figures } from './figures.ts';
import { FrontUpkeep } from './front-upkeep.ts';
import { GatewayDesk } from './gateway-desk.ts';
import { LinkServer } from './link-server.ts';
import { createLog } from './log.ts';
import { Nginx } from './nginx/nginx.ts';
import { OwnLogs } from './own-logs.ts';
import { dismiss, earlierProgram, isReplaced, recordProgram } from './program-record.ts';
import { RequestEngines } from './request-engines.ts';
import { ServerOrders } from './server-orders.ts';
import { ServerQuestions } from './server-questions.ts';
import { sharedRates } from './shared-rates.ts';
import { Spools } from './spools.ts';
import { StatusReport } from './status-report.ts';
import { StoredState } from './stored-state.ts';
import { Supply } from './supply.ts';
import { keyForTunnels } from './tunnel-key.ts';
import { TunnelRelay } from './tunnel-relay.ts';
import { WantedTunnels } from './wanted-tunnels.ts';
import { webUser } from './web-user.ts';

export interface GatewayOptions {
  readonly stateDir: string;
  readonly runtime: string;
}

/** Time between two checks whether nginx runs. */
const LOOK_MS = 100;
/** Time between two looks for what workers have kept. */
const DELIVER_MS = 1000;
const FIGURES_MS = 1000;
/** Time between two looks at the disk. */
const DISK_MS = 5000;
/** Bytes of a log, of which there may be two. */
const MAX_LOG = 10_000_000;

/** The main process: everything but requests. */
export class GatewayProgram {
  readonly #options: GatewayOptions;
  readonly #log = createLog('gateway');
  readonly #send = (frame: GatewayFrame): boolean => this.#link.send(frame);
  readonly #state: StoredState;
  readonly #supply: Supply;
  readonly #nginx: Nginx;
  readonly #certificates: Certificates;
  readonly #records = new DnsRecords(this.#send);
  readonly #link: LinkServer;
  readonly #spools: Spools;
  readonly #figures = new Figures((frame) => this.#send({ ...frame, sent_at: Date.now() }));
  readonly #desk: GatewayDesk;
  /** nginx, as far as it answers requests itself. */
  readonly #plain: PlainEngine;
  readonly #engines: RequestEngines;
  readonly #status: StatusReport;
  readonly #upkeep: FrontUpkeep;
  readonly #questions = new ServerQuestions(this.#send);
  readonly #tunnels = new WantedTunnels(this.#send);
  #isEnding = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { stateDir, runtime } = options;
    const { name: webName = null, group = null } = webUser() ?? {};
    mkdirSync(runtime, { recursive: true });
    chmodSync(runtime, webName === null ? 0o700 : 0o711);
    const [log, send, figures] = [this.#log, this.#send, this.#figures];
    const [questions, tunnels, records] = [this.#questions, this.#tunnels, this.#records];
    const state = new StoredState(stateDir);
    this.#state = state;
    const supply = new Supply(state);
    this.#supply = supply;
    const callers = new AdmittedCallers({
      ...{ state, questions },
      notify: (type, data) => this.#engines.notify(type, data),
      onRefused: () => this.#engines.renewGeneration(),
    });
    const key = keyForTunnels(stateDir);
    this.#nginx = new Nginx({ runtime, user: webName, group, log });
    const spools = new Spools({ stateDir, send, log });
    this.#spools = spools;
    this.#plain = this.#newPlainEngine();
    const certificates = new Certificates({
      ...{ stateDir, runtime, group, log },
      setRecord: (...of) => records.set(...of),
      onChange: () => this.#status.report(),
      onIssued: () => this.#offer(),
    });
    this.#certificates = certificates;
    this.#desk = new GatewayDesk({
      ...{ questions, callers, services: supply.table, figures, tunnels, send },
      ...{ counts: spools.counts, uses: spools.uses },
      rates: sharedRates({
        questions,
        replicas: () => supply.settings?.settings.replicas ?? 1,
        now: Date.now,
      }),
      notify: (type, data) => this.#engines.notify(type, data),
    });
    this.#status = new StatusReport({
      ...{ state, send, log, publicKey: key.publicKey },
      certificates: () => certificates.states,
    });
    const [plain, desk, status] = [this.#plain, this.#desk, this.#status];
    const engines = new RequestEngines({
      ...{ runtime, group, spools: spools.dirs, plain, supply, callers, desk, figures, log },
      tunnelKey: key.privateKey,
      isOnline: () => this.#link.isOpen,
    });
    this.#engines = engines;
    this.#upkeep = new FrontUpkeep({
      ...{ runtime, supply, nginx: this.#nginx, plain, engines, certificates, status, log },
    });
    const orders = new ServerOrders({
      ...{ supply, upkeep: this.#upkeep, engines, plain, status, spools, figures, callers },
      ...{ questions, records, tunnels, certificates, send },
      logs: new OwnLogs({ gateway: this.#logFiles[0], nginx: this.#logFiles[1] }),
    });
    this.#link = this.#newLinkServer(orders);
  }

  /** Takes over from an earlier process, if there is one. */
  async start(): Promise<void> {
    const { runtime } = this.#options;
    const earlier = earlierProgram(runtime);
    this.#supply.restore();
    this.#plain.setHosts(this.#supply.services?.hosts ?? {});
    process.on('SIGTERM', () => void this.#end());
    process.on('SIGINT', () => {});
    process.on('SIGHUP', () => {});
    await this.#upkeep.apply();
    recordProgram(runtime);
    await this.#link.listen();
    if (earlier !== null) dismiss(earlier);
    this.#log.info('the gateway has started');
    setInterval(() => this.#spools.deliver(), DELIVER_MS).unref();
    setInterval(() => this.#figures.deliver(), FIGURES_MS).unref();
    setInterval(() => void this.#lookAtDisk(), DISK_MS).unref();
    this.#look();
  }

  get #logFiles(): readonly [gateway: string, nginx: string] {
    const { stateDir, runtime } = this.#options;
    return [join(stateDir, 'gateway.log'), join(runtime, 'nginx-error.log')];
  }

  #newPlainEngine(): PlainEngine {
    const plain: PlainEngine = new PlainEngine({
      control: controlOf(plainSocket(this.#options.runtime)),
      ...{ services: this.#supply.table, log: this.#log, learn: learnAddress },
      tokenMarks: () => this.#supply.tokenMarks,
      reports: {
        count: (counted, wakes) => void this.#spools.keptByNginx.add(counted, wakes),
        avoided: (ejected) => this.#desk.avoided(ejected),
        figures: (changed) => this.#figures.put(plain, changed),
      },
      onRestart: () => this.#figures.ended(plain),
    });
    return plain;
  }

  #newLinkServer(orders: ServerOrders): LinkServer {
    return new LinkServer({
      path: join(this.#options.runtime, 'link.sock'),
      onOpen: () => this.#connected(),
      onOrder: (order) => orders.obey(order),
      onClose: () => this.#disconnected(),
      onRelay: ({ host_id, job_id, port }, { socket, opening }) => {
        const frame = { type: 'tunnel', id: randomUUID(), host_id, job_id, port } as const;
        this.#tunnels.want(new TunnelRelay(socket, opening), frame);
      },
      onTunnel: (id, end) => this.#tunnels.opened(id, end),
      log: this.#log,
    });
  }

  async #lookAtDisk(): Promise<void> {
    const { stateDir, runtime } = this.#options;
    for (const path of this.#logFiles) boundLog(path, MAX_LOG);
    this.#status.setDiskProblem((await fullDisk(stateDir)) ?? (await fullDisk(runtime)));
    this.#status.report();
  }

  /** Another version takes over, or the gateway is removed: then its file was removed. */
  async #end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#link.close();
    this.#plain.close();
    this.#state.flush();
    if (existsSync(join(this.#options.stateDir, 'gateway.json'))) {
      this.#engines.leaveWorkers();
    } else {
      // One that is being started must not outlive this process.
      await this.#upkeep.idle;
      await this.#nginx.stop();
      this.#engines.killWorkers();
    }
    process.exit(0);
  }

  async #look(): Promise<void> {
    while (!this.#isEnding) {
      await delay(LOOK_MS);
      // Two of them may have started at the same moment; the one that wrote last stays.
      if (isReplaced(this.#options.runtime)) await this.#end();
      if (!this.#isEnding) await this.#upkeep.look();
    }
  }

  #connected(): void {
    this.#status.connected();
    this.#offer();
    this.#spools.connected();
    this.#figures.connected();
    this.#engines.setOnline(true);
  }

  #disconnected(): void {
    this.#engines.setOnline(false);
    this.#records.disconnected();
    this.#questions.disconnected();
    this.#spools.disconnected();
    this.#tunnels.disconnected();
  }

  /** To the other replicas, which serve the same names. */
  #offer(): void {
    const certificates = this.#certificates.issued;
    if (certificates.length > 0) this.#send({ type: 'issued', certificates });
  }
}
