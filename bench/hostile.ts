/**
 * Hostile input at the largest size that is not refused for its length: how long `/healthcheck` waits
 * meanwhile, compared with an ordinary request in the same process.
 */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import {
  FIELDS,
  fieldInputs,
  type HostileInput,
  type HostileRequest,
  headerInputs,
  headInputs,
  jsonInputs,
  post,
  sendHostile,
  uploadInputs,
  yamlInputs,
} from '@dstack/testkit/hostile';
import { HealthPinger } from './health-pinger.ts';
import { installation } from './installation.ts';
import { print } from './measure.ts';
import { residentMb } from './server-start.ts';

/** The minimum of several attempts: other load of the machine only adds to a wait. */
const TRIES = 3;

/** Inputs that keep others waiting longer than this are printed one by one (ms). */
const NOTABLE_MS = 30;

const MIB = 1024 * 1024;

const ordinary = post('/api/users/get_user', '{"username":"admin"}');

export async function hostile(): Promise<void> {
  const home = installation({ DSTACK_SERVER_TRUSTED_PROXIES: 'loopback' });
  try {
    await home.startServer();
    const pinger = new HealthPinger(home.url);
    const bench = new Bench(home, pinger);
    await bench.group('JSON', jsonInputs);
    await bench.group('YAML', yamlInputs);
    await bench.group('uploads', uploadInputs);
    await bench.group('heads', headInputs);
    for (const [name, inputs] of Object.entries(headerInputs)) {
      await bench.group(`header: ${name}`, inputs);
    }
    for (const [name, field] of Object.entries(FIELDS)) {
      await bench.group(name, fieldInputs(field));
    }
    await bench.many();
    await pinger.stop();
  } finally {
    await home.dispose();
  }
}

/** The costliest body: each of its mounts is wrong in two ways. */
function wrongMounts(): string {
  const volumes = Array.from({ length: 2900 }, () => ({}));
  const configuration = { type: 'task', commands: ['true'], volumes };
  return JSON.stringify({ run_spec: { configuration } });
}

class Bench {
  readonly #home: Installation;
  readonly #pinger: HealthPinger;
  readonly #token: string;

  constructor(home: Installation, pinger: HealthPinger) {
    this.#home = home;
    this.#pinger = pinger;
    this.#token = home.token();
  }

  /** Prints one line for the worst of them. */
  async group(name: string, inputs: readonly HostileInput[]): Promise<void> {
    const floor = await this.#least(() => this.#send(ordinary));
    let worst = { stall: 0, input: '' };
    for (const input of inputs) {
      const request = input.request(input.most);
      const stall = await this.#least(() => this.#send(request));
      if (stall > NOTABLE_MS) this.#print(`${name}: ${input.name}`, stall, floor);
      if (stall > worst.stall) worst = { stall, input: input.name };
    }
    this.#print(`${name}, worst of ${inputs.length}: ${worst.input}`, worst.stall, floor);
  }

  /** Requests that are harmful only in large numbers. */
  async many(): Promise<void> {
    const nested = '['.repeat(8 * MIB) + ']'.repeat(8 * MIB);
    const byStranger = { ...post('/api/users/get_user', nested), headers: [] };
    const byAdmin = post('/api/users/get_user', nested);
    const guess = (index: number): HostileRequest => ({
      ...ordinary,
      headers: [['Authorization', `Bearer guess-${index}`]],
    });
    const at = async (name: string, count: number, request: (index: number) => HostileRequest) => {
      const floor = await this.#least(() => this.#send(ordinary));
      const before = residentMb(this.#home.serverPid);
      const all = () =>
        Promise.all(Array.from({ length: count }, (_, index) => this.#send(request(index))));
      const stall = await this.#least(all);
      const memory = residentMb(this.#home.serverPid) - before;
      this.#print(`${count} times at once: ${name}`, stall, floor, memory);
    };
    await at('16 MiB of nested lists by strangers', 8, () => byStranger);
    await at('16 MiB of nested lists', 8, () => byAdmin);
    await at('wrong tokens', 200, guess);
    const wrong = post('/api/project/main/runs/get_plan', wrongMounts());
    await at('plans with thousands of wrong mounts', 50, () => wrong);
    await this.#slowBodies(500);
  }

  /** Bodies that are announced and never sent. */
  async #slowBodies(count: number): Promise<void> {
    const floor = await this.#least(() => this.#send(ordinary));
    const before = residentMb(this.#home.serverPid);
    const { hostname, port } = new URL(this.#home.url);
    const head = `POST /api/users/get_user HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${this.#token}\r\nContent-Length: 60000\r\n\r\n`;
    const sockets = Array.from({ length: count }, () => {
      const socket = connect(Number(port), hostname).on('error', () => {});
      socket.write(`${head}${'['.padEnd(50_000)}`);
      return socket;
    });
    await this.#pinger.longest();
    await delay(2000);
    const stall = await this.#pinger.longest();
    const memory = residentMb(this.#home.serverPid) - before;
    this.#print(`${count} times at once: a body that does not come`, stall, floor, memory);
    for (const socket of sockets) socket.destroy();
  }

  #send(request: HostileRequest): Promise<unknown> {
    return sendHostile(this.#home.url, this.#token, request);
  }

  async #least(work: () => Promise<unknown>): Promise<number> {
    let least = Infinity;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      await this.#pinger.longest();
      await work();
      // Includes later work for the request, such as garbage collection.
      await delay(5);
      least = Math.min(least, await this.#pinger.longest());
    }
    return least;
  }

  #print(name: string, stall: number, floor: number, addedMb?: number): void {
    const tenth = (value: number) => Math.round(value * 10) / 10;
    const waits = { stall: tenth(stall), floor: tenth(floor) };
    if (addedMb === undefined) print({ name, unit: 'ms', ...waits });
    else print({ name, unit: 'ms', ...waits, addedMb: Math.round(addedMb) });
  }
}
