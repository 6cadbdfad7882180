/** Asks `/healthcheck` again and again from a thread of its own, and keeps the longest wait. */
import { Agent, get } from 'node:http';
import { parentPort, Worker, workerData } from 'node:worker_threads';

/** Longest wait in ms since it was asked last. */
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
    // A request that is not answered yet counts with its wait so far.
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
