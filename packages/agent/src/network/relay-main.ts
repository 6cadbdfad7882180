import { createServer, type Socket } from 'node:net';
import { dialTcp } from './dial.ts';

/**
 * Program that runs inside a container's network namespace: `relay-main.ts <unix socket>`. Each
 * connection names a target in one line of JSON and is then joined with it. It ends with the pipe
 * on its standard input, so it never outlives the agent.
 */
const path = process.argv[2];
if (!path) throw new Error('usage: relay <unix socket>');
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();

// Half-open: a peer that has said everything may still be waiting for the answer.
const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, serve);
server.listen(path, () => process.stdout.write('.'));

function serve(client: Socket): void {
  let request = '';
  const onData = (piece: Buffer): void => {
    request += piece.toString('latin1');
    const end = request.indexOf('\n');
    if (end < 0) return;
    client.off('data', onData);
    client.pause();
    const rest = Buffer.from(request.slice(end + 1), 'latin1');
    if (rest.length > 0) client.unshift(rest);
    void join(client, JSON.parse(request.slice(0, end)));
  };
  client.on('data', onData);
  client.on('error', () => client.destroy());
}

async function join(client: Socket, target: { host: string; port: number }): Promise<void> {
  try {
    const upstream = await dialTcp(target.host, target.port);
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroySoon());
    client.write('ok\n');
    client.pipe(upstream);
    upstream.pipe(client);
  } catch (error) {
    client.end(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}
