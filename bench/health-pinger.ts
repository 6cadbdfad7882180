/** Requests `/healthcheck` again and again in its own thread, and keeps the longest latency. */
import { Agent, get } from 'node:http';
import { parentPort, Worker, workerData } from 'node:worker_threads';

/** Longest latency in ms since the last call. */
export class HealthPinger {
  readonly #worker: Worker;

  constructor(url: string) {
    this.#worker = new Worker(new URL(import.meta.url), { workerData: url });
  }

  longest(): Promise<number> {
    const answer = new Promise<number>((resolve) => this.#worker.once('message', resolve));
    this.#worker.postMessage('longest');
    return answer;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

if (parentPort) {
  const url = new URL('/healthcheck', String(workerData));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let longest = 0;
  let began = performance.now();
  parentPort.on('message', () => {
    // A pending request counts with the time it has waited so far.
    parentPort?.postMessage(Math.max(longest, performance.now() - began));
    longest = 0;
  });
  const ask = () => {
    began = performance.now();
    get(url, { agent }, (response) => {
      response.resume();
      response.on('end', () => {
        longest = Math.max(longest, performance.now() - began);
        began = performance.now();
        setTimeout(ask, 1);
      });
    }).on('error', () => setTimeout(ask, 1));
  };
  ask();
}
