/** Sends what two readers may understand in two ways, and judges what arrives at the app. */
import { connect } from 'node:net';
import type { Way } from './bed.ts';
import type { Results } from './programs.ts';
import { bytesOf, SMUGGLING_CASES } from './smuggling-cases.ts';
import { judge } from './strict-request.ts';

const AT_A_TIME = 16;
/** Milliseconds for the first byte of an answer, and for more of them after it. */
const FIRST = 2500;
const MORE = 700;

export async function smuggling(way: Way): Promise<Results> {
  const { host, path } = way.at('raw', false);
  const results = new Map<string, string>();
  const waiting = [...SMUGGLING_CASES];
  const loop = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      results.set(one.name, outcome(await exchange(way.port, bytesOf(one, host, path))));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, loop));
  return new Map(SMUGGLING_CASES.map(({ name }) => [name, results.get(name) ?? '']));
}

/** Everything that comes back until the connection is closed, or silent. */
export function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let seen = '';
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(seen);
    };
    let timer = setTimeout(end, FIRST);
    socket.setEncoding('latin1').on('data', (part) => {
      seen += part;
      clearTimeout(timer);
      timer = setTimeout(end, MORE);
    });
    socket.on('error', end).on('close', end);
    socket.write(bytes);
  });
}

/**
 * The result for the client and the app: the status of the first answer if no app was asked, else how many requests
 * apps got, and what is wrong with them.
 */
export function outcome(seen: string): string {
  const received = [...seen.matchAll(/"received":"([A-Za-z0-9+/=]*)"/g)].map(([, text = '']) =>
    Buffer.from(text, 'base64').toString('latin1'),
  );
  if (received.length === 0) {
    const [, status] = /^HTTP\/1\.\d (\d{3})/.exec(seen) ?? [];
    return status === undefined ? (seen === '' ? 'no answer' : 'no HTTP') : `refused ${status}`;
  }
  const judged = received.map(judge);
  const faults = [...new Set(judged.flatMap((one) => one.faults))];
  const count = received.length === 1 ? '1 request' : `${received.length} requests`;
  const rest = judged.some(({ isIncomplete }) => isIncomplete) ? ', incomplete' : '';
  return faults.length === 0 ? `${count}${rest}` : `${count}${rest}: ${faults.join('; ')}`;
}

/** Whether apps may read what they got in two ways. */
export const isAmbiguous = (result: string): boolean => result.includes(': ');
