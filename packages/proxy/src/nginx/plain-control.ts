/** Questions to nginx about the requests that it answers itself, over a socket of its own. */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

/** nginx has no other work that would delay an answer for longer, in milliseconds. */
const LIMIT_MS = 5000;

export type Control = (path: string, body?: string) => Promise<string>;

/** Rejects if nginx does not answer. */
export function controlOf(socketPath: string): Control {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  return async (path, body = '') => {
    const sent = request({
      ...{ socketPath, path, agent, method: 'POST', timeout: LIMIT_MS },
      headers: { host: 'nginx', 'content-length': Buffer.byteLength(body) },
    });
    sent.on('timeout', () => sent.destroy(new Error('nginx has not answered in time')));
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const answered = await text(answer);
    if (answer.statusCode !== 200) throw new Error(`nginx has answered ${answer.statusCode}`);
    return answered;
  };
}
