/** The traffic of gateways in a simulation: true reports about their own services, and lies. */
import { isRunFinished } from '@dstack/contract/status';
import type { JobRecord } from '@dstack/core';
import type { Random } from '@dstack/testkit/random';
import { Breach } from './breach.ts';
import { type Foreign, foreignUse, lie } from './gateway-lies.ts';
import type { GatewayWatch } from './gateway-watch.ts';
import type { FollowedRun, RunWatch } from './run-watch.ts';
import type { SimGateway, SimGateways } from './sim-gateways.ts';
import type { Watch } from './watch.ts';

export interface GatewayTrafficParts {
  readonly random: Random;
  readonly gateways: SimGateways;
  readonly watch: GatewayWatch;
  readonly runs: RunWatch;
  readonly jobs: Watch;
  readonly projects: readonly { readonly id: string; readonly name: string }[];
  readonly users: readonly { readonly name: string }[];
  readonly stranger: { readonly name: string };
  /** µs. */
  readonly now: () => number;
}

/** A delivery that is repeated until a server has answered it. */
interface Delivery {
  readonly message: object;
  readonly numbers: Set<number>;
}

export class GatewayTraffic {
  readonly #parts: GatewayTrafficParts;
  /** By gateway. Usage is delivered one batch after another, as real programs do. */
  readonly #pending = new Map<string, Delivery>();
  #n = 0;

  constructor(parts: GatewayTrafficParts) {
    this.#parts = parts;
  }

  /** One gateway reports something, repeats what was not answered, and lies a few times. */
  act(): void {
    const { random, gateways } = this.#parts;
    const gateway = random.pick(gateways.all);
    if (!gateway) return;
    this.#deliver(gateway, true);
    for (let n = random.whole(0, 3); n > 0; n--) {
      const [what, ...more] = [this.#lie(gateway), this.#truth(gateway)];
      gateways.send(gateway, random.chance(0.5) ? [what, ...more] : [what]);
    }
  }

  /** Nothing is reported any more, but what was is delivered in the end. */
  finish(): void {
    for (const gateway of this.#parts.gateways.all) this.#deliver(gateway, false);
  }

  checkDelivered(): void {
    for (const [name] of this.#pending) {
      throw new Breach(24, `gateway ${name} gets no answer to its last report of usage`);
    }
  }

  #deliver(gateway: SimGateway, withNew: boolean): void {
    const { random, gateways } = this.#parts;
    const pending = this.#answered(gateway) ?? (withNew ? this.#newUse(gateway) : null);
    if (pending === null) return;
    // Also without need, as after an answer that was lost.
    for (let times = random.chance(0.3) ? 2 : 1; times > 0; times--) {
      const n = ++this.#n;
      pending.numbers.add(n);
      gateways.send(gateway, [{ ...pending.message, n }]);
    }
  }

  /** The delivery that still waits for an answer; null: none does. */
  #answered({ name, program }: SimGateway): Delivery | null {
    const received = program.received.splice(0);
    const pending = this.#pending.get(name);
    if (pending === undefined) return null;
    const isAnswered = received.some((one) => one.type === 'used' && pending.numbers.has(one.n));
    if (!isAnswered) return pending;
    this.#pending.delete(name);
    return null;
  }

  /** Usage of a model that is or was behind the gateway, sometimes together with lies. */
  #newUse(gateway: SimGateway): Delivery | null {
    const { random, users, stranger, watch, now } = this.#parts;
    const own = random.pick(this.#ownRuns(gateway).filter((one) => modelOf(one) !== null));
    const user = random.pick(users);
    const project = this.#projectOf(own);
    const model = own && modelOf(own);
    if (!own || !user || !project || !model) return null;
    const [requests, promptTokens] = [random.whole(1, 50), random.whole(0, 5000)];
    watch.reports({ ...{ project, user: user.name, model }, requests, promptTokens });
    const day = Math.floor(now() / 86_400e6);
    const counts = { requests, aborted: 0, estimated: 0 };
    const tokens = { prompt_tokens: promptTokens, completion_tokens: 7 };
    const use = { project, user: user.name, model, day, ...counts, ...tokens };
    const uses: object[] = [use];
    if (random.chance(0.3)) uses.push({ ...use, user: stranger.name });
    const foreign = this.#foreign(gateway);
    if (foreign && random.chance(0.3)) {
      uses.push(foreignUse({ random, foreign, n: 0, now: now() / 1e6 }));
    }
    const message = { type: 'usage', batch: random.uuid(), uses };
    const delivery = { message, numbers: new Set<number>() };
    this.#pending.set(gateway.name, delivery);
    return delivery;
  }

  /** Requests, and a way to a replica, of a service of its own. */
  #truth(gateway: SimGateway): object {
    const { random, watch, now } = this.#parts;
    const second = Math.floor(now() / 1e6);
    const run = random.pick(this.#ownRuns(gateway).filter((one) => !isRunFinished(one.run.status)));
    const batch = random.uuid();
    const n = ++this.#n;
    if (!run) return { type: 'counts', n, batch, counts: [], waiting: [] };
    const runId = run.run.id;
    const job = random.pick([...this.#parts.jobs.jobs].filter((one) => one.runId === runId));
    if (job && random.chance(0.3)) {
      watch.asks(`avoided ${runId} ${job.id}`);
      const report = { ms: 5000, errors: 5, rate: null, others: null };
      return { type: 'avoided', run_id: runId, job_id: job.id, ...report };
    }
    const port = job?.spec.service_port ?? null;
    if (job?.instanceId && port !== null && random.chance(0.5)) {
      watch.asks(`tunnel ${job.instanceId} ${job.id} ${port}`);
      const where = { host_id: job.instanceId, job_id: job.id, port };
      return { type: 'tunnel', id: batch, ...where };
    }
    const counts = [{ run_id: runId, second, requests: random.whole(0, 300) }];
    return { type: 'counts', n, batch, counts, waiting: [runId] };
  }

  #lie(gateway: SimGateway): object {
    const { random, now } = this.#parts;
    const foreign = this.#foreign(gateway) ?? this.#nonexistent();
    return lie({ random, foreign, n: ++this.#n, now: Math.floor(now() / 1e6) });
  }

  #foreign(gateway: SimGateway): Foreign | null {
    const { random, runs, jobs, gateways } = this.#parts;
    const isForeign = ({ run }: FollowedRun) => run.gatewayId !== gateway.id;
    const run = random.pick([...runs.all].filter(isForeign));
    if (!run) return null;
    const job: JobRecord | undefined = random.pick(
      [...jobs.jobs].filter((one) => one.runId === run.run.id),
    );
    const other = gateways.all.find(({ id }) => id !== gateway.id);
    const { runId, jobId, hostId, ...rest } = this.#nonexistent();
    return {
      ...rest,
      ...{ runId: run.run.id, jobId: job?.id ?? jobId, hostId: job?.instanceId ?? hostId },
      ...{ project: this.#projectOf(run) ?? '', model: modelOf(run) ?? rest.model },
      host: `${run.run.name}${other?.domain}`,
    };
  }

  /** Things that do not exist. */
  #nonexistent(): Foreign {
    const { random, stranger } = this.#parts;
    const [runId, jobId, hostId] = [random.uuid(), random.uuid(), random.uuid()];
    const names = { project: 'nowhere', model: 'none', host: 'none.bank.test' };
    return { runId, jobId, hostId, ...names, stranger: stranger.name };
  }

  #ownRuns({ id }: SimGateway): FollowedRun[] {
    return [...this.#parts.runs.all].filter(({ run }) => run.gatewayId === id);
  }

  #projectOf(run: FollowedRun | undefined): string | null {
    return this.#parts.projects.find(({ id }) => id === run?.run.projectId)?.name ?? null;
  }
}

function modelOf({ run }: FollowedRun): string | null {
  const { configuration } = run.spec;
  return configuration.type === 'service' ? (configuration.model?.name ?? null) : null;
}
