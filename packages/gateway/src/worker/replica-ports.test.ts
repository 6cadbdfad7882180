import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverAway } from '@dstack/proxy';
import { expect, it, onTestFinished } from 'vitest';
import { LinkServer } from '../link-server.ts';
import { TunnelRelay, type TunnelTaker } from '../tunnel-relay.ts';
import { ReplicaPorts } from './replica-ports.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} } as never;
const REPLICA = { jobId: randomUUID(), hostId: 'far', port: 8000, runningAt: 0, isFailing: false };

function worker(now = () => 0) {
  const asked: unknown[] = [];
  const tunnels = { open: () => null, isOpen: () => false };
  const link = {
    ask: async (_type: string, wanted: unknown) => {
      asked.push(wanted);
      throw serverAway();
    },
  };
  const ports = new ReplicaPorts({ link, tunnels, now });
  ports.setOnline(true);
  return { ports, asked };
}

/** The next main process, whose server answers each wish by `serve`. */
async function nextProcess(serve: (taker: TunnelTaker, dial: () => Socket) => void) {
  const dir = mkdtempSync(join(tmpdir(), 'ports-'));
  const path = join(dir, 'link.sock');
  const [wanted, takers]: [object[], TunnelTaker[]] = [[], []];
  const link = new LinkServer({
    ...{ path, onOpen: () => {}, onOrder: () => {}, onClose: () => {}, log },
    onRelay: ({ host_id, job_id, port }, { socket, opening }) => {
      wanted.push({ host_id, job_id, port });
      takers.push(new TunnelRelay(socket, opening));
      serve(takers.at(-1) as TunnelTaker, () => connect(path));
    },
    onTunnel: (id, end) => takers.at(-1)?.passTunnel(id, end),
  });
  await link.listen();
  onTestFinished(() => {
    link.close();
    rmSync(dir, { recursive: true });
  });
  return { path, wanted };
}

it('a worker whose main process has ended reaches replicas on other hosts through the next one', async () => {
  const { path, wanted } = await nextProcess((_taker, dial) => {
    const server = dial();
    server.write(`{"type":"tunnel","id":"${randomUUID()}"}\nhello `);
    server.on('data', (bytes) => server.end(`answer to ${bytes}`));
  });
  const { ports, asked } = worker();
  // The main process ends. Nothing was sent yet: the request is delivered again.
  await expect(ports.open(REPLICA)).rejects.toThrow(/is away/);
  expect(asked).toMatchObject([{ hostId: 'far' }]);
  ports.leave(path);
  const socket = (await ports.open(REPLICA)) as Socket;
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.write('GET');
  await once(socket, 'end');
  expect(Buffer.concat(parts).toString()).toBe('hello answer to GET');
  expect(wanted).toEqual([{ host_id: 'far', job_id: REPLICA.jobId, port: 8000 }]);
});

it('until the next process and its server are there, the replica is expected to return', async () => {
  const { path } = await nextProcess((taker) =>
    taker.send({ type: 'no-tunnel', id: '', error: 'the app has refused' }),
  );
  const { ports } = worker(() => 1000);
  ports.leave(join(path, 'none'));
  await expect(ports.open(REPLICA)).rejects.toThrow(/is away/);
  expect(ports.returnsUntil).toBe(16_000);
  ports.leave(path);
  await expect(ports.open(REPLICA)).rejects.toThrow('the app has refused');
});
