import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fuzz } from '@dstack/testkit/fuzz';
import fc from 'fast-check';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eachWithJobSsh } from '../testing/job-ssh-harness.ts';

const job = eachWithJobSsh();

/** Errors that would have ended the agent, and with it the access to all jobs. */
const crashes: unknown[] = [];
const onCrash = (error: unknown) => crashes.push(error);
beforeEach(() => {
  crashes.length = 0;
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);
});
afterEach(() => {
  process.off('uncaughtException', onCrash);
  process.off('unhandledRejection', onCrash);
});

/** A job that answers every request without running anything. */
async function serve(): Promise<void> {
  await job.restart({
    exec: async (request) => {
      request.onResize(() => {});
      request.onSignal(() => {});
      request.channel.write(request.command ?? '');
      request.channel.resume();
      request.exit(0);
    },
    dial: async (host, port) => {
      if (port % 2 === 0) throw new Error(`nothing at ${host}`);
      return new PassThrough();
    },
    host: () => null,
  });
}

async function isServing(): Promise<void> {
  const socket = connect(job.ssh.port, '127.0.0.1');
  socket.on('error', () => {});
  const [greeting] = await once(socket, 'data');
  expect(String(greeting)).toMatch(/^SSH-2\.0-/);
  socket.destroy();
}

/** Bytes before the login. */
function beginning(): fc.Arbitrary<Buffer> {
  const bytes = fc.uint8Array({ maxLength: 600 }).map((array) => Buffer.from(array));
  const packet = fc
    .tuple(
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.nat({ max: 255 }),
      fc.nat({ max: 60 }),
      bytes,
    )
    .map(([claimed, padding, type, body]) => {
      const head = Buffer.alloc(6);
      head.writeUInt32BE(claimed);
      head[4] = padding;
      head[5] = type;
      return Buffer.concat([head, body]);
    });
  const honest = fc.tuple(fc.nat({ max: 60 }), bytes).map(([type, body]) => {
    const padding = 8 - ((body.length + 6) % 8) + 8;
    const head = Buffer.alloc(6);
    head.writeUInt32BE(body.length + padding + 2);
    head[4] = padding;
    head[5] = type;
    return Buffer.concat([head, body, Buffer.alloc(padding)]);
  });
  const ident = fc.constantFrom(
    'SSH-2.0-x\r\n',
    'SSH-1.5-x\r\n',
    'SSH-2.0-',
    'GET / HTTP/1.1\r\n\r\n',
  );
  const start = fc.oneof(ident, fc.string({ maxLength: 300 })).map((text) => Buffer.from(text));
  return fc
    .tuple(start, fc.array(fc.oneof(packet, honest, bytes), { maxLength: 5 }))
    .map((parts) => Buffer.concat(parts.flat()));
}

describe('the SSH server of a job', () => {
  it('opens no channel whose data it would split into empty pieces', async () => {
    await serve();
    const user = await loggedIn();
    const parts = [[OPEN], text('session'), number(0), number(2 ** 20), number(0)] as const;
    user.send(Buffer.concat(parts.map((part) => Buffer.from(part))));
    user.send(
      Buffer.concat([Buffer.from([98]), number(0), text('exec'), Buffer.from([1]), text('x')]),
    );
    await user.handled();
    user.end();
    await isServing();
  });

  it('opens no more channels than it can serve, and leaves those open that it has', async () => {
    await serve();
    const user = await loggedIn();
    const sizes = [number(2 ** 20), number(2 ** 15)];
    for (let id = 0; id < 1100; id++) {
      user.send(Buffer.concat([Buffer.from([OPEN]), text('session'), number(id), ...sizes]));
    }
    await user.handled();
    expect([user.refusals.length, user.refusals[0], user.isClosed()]).toEqual([100, 1000, false]);
    user.end();
  });

  it('survives any input before the login', async () => {
    await serve();
    await fuzz(
      'SSH before the login',
      fc.asyncProperty(beginning(), async (bytes) => {
        const socket = connect(job.ssh.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.end(bytes);
        socket.resume();
        await once(socket, 'close');
        expect(crashes).toEqual([]);
      }),
    );
    await isServing();
  });

  it('survives any packets of a user', async () => {
    await serve();
    let [client, count] = [await loggedIn(), 0];
    await fuzz(
      'SSH after the login',
      fc.asyncProperty(
        fc.array(packetOfUser(), { minLength: 1, maxLength: 12 }),
        async (packets) => {
          // A client is disconnected for bytes that are not SSH, and channels accumulate.
          if (client.isClosed() || ++count % 20 === 0) {
            client.end();
            client = await loggedIn();
          }
          for (const packet of packets) client.send(packet);
          await client.handled();
          expect(crashes).toEqual([]);
        },
      ),
      4,
    );
    client.end();
    await isServing();
  });
});

interface User {
  send(payload: Buffer): void;
  /** Resolves when the server has handled everything, or has ended the connection. */
  handled(): Promise<void>;
  /** Numbers of the channels that the server has refused to open. */
  readonly refusals: readonly number[];
  isClosed(): boolean;
  end(): void;
}

/** Internal parts of ssh2 that write and read raw packets. */
interface Insides {
  readonly _protocol: {
    readonly _packetRW: {
      readonly write: {
        readonly allocStart: number;
        alloc(size: number): Buffer;
        finalize(packet: Buffer): Buffer;
      };
    };
    readonly _cipher: { encrypt(packet: Buffer): void };
    readonly _decipher: { _onPayload: (payload: Buffer) => void };
  };
}

const [OPEN, OPEN_FAILURE] = [90, 92];
const MARK = 0x7fff_0000;

async function loggedIn(): Promise<User> {
  const client = new ssh2.Client();
  let closed = false;
  client.on('error', () => {});
  client.on('close', () => {
    closed = true;
  });
  client.connect({
    host: '127.0.0.1',
    port: job.ssh.port,
    username: 'root',
    privateKey: readFileSync(join(job.keys, 'user')),
  });
  await once(client, 'ready');
  const { _protocol } = client as unknown as Insides;
  const send = (payload: Buffer) => {
    if (closed) return;
    const { write } = _protocol._packetRW;
    const packet = write.alloc(payload.length);
    payload.copy(packet, write.allocStart);
    _protocol._cipher.encrypt(write.finalize(packet));
  };
  const refusals: number[] = [];
  let [mark, refused] = [MARK, (_: number) => {}];
  // From this point on, raw packets bypass the client: it would disconnect over answers to requests
  // that it has not sent.
  _protocol._decipher._onPayload = (payload) => {
    if (payload[0] !== OPEN_FAILURE || payload.length < 5) return;
    const id = payload.readUInt32BE(1);
    if (id < MARK) refusals.push(id);
    refused(id);
  };
  return {
    send,
    refusals,
    // A channel of an unknown kind is refused after everything before it was handled.
    handled: () =>
      new Promise((resolve) => {
        if (closed) return resolve();
        mark += 1;
        const own = mark;
        const done = () => resolve();
        client.once('close', done);
        refused = (id) => {
          if (id !== own) return;
          client.off('close', done);
          resolve();
        };
        send(Buffer.concat([Buffer.from([OPEN]), text('?'), number(own), number(1), number(1)]));
      }),
    isClosed: () => closed,
    end: () => client.end(),
  };
}

const number = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const text = (value: string) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length), bytes]);
};

/** Packets that a user may send, with values and lengths that no client sends. */
function packetOfUser(): fc.Arbitrary<Buffer> {
  const odd = fc.constantFrom(0, 1, 80, 10_999, 65_536, 2 ** 31, 2 ** 32 - 1).map(number);
  const words = fc
    .oneof(
      fc.constantFrom(
        '',
        '::',
        '0.0.0.0',
        'localhost',
        '\0',
        'a'.repeat(5000),
        'KILL',
        '__proto__',
      ),
      fc.string({ maxLength: 30 }),
    )
    .map(text);
  const flag = fc.boolean().map((value) => Buffer.from([value ? 1 : 0]));
  const rest = joined(fc.array(fc.oneof(odd, words, flag), { maxLength: 6 }));
  // Numbers of existing channels, and some others.
  const channel = fc.oneof(
    { weight: 5, arbitrary: fc.nat({ max: 4 }).map(number) },
    fc.constantFrom(500, 2 ** 32 - 1).map(number),
  );
  const started = (type: number, ...parts: fc.Arbitrary<Buffer>[]) =>
    joined(fc.tuple(fc.constant(Buffer.from([type])), ...parts));
  const kind = (...names: string[]) => fc.constantFrom(...names).map(text);
  const size = fc.oneof({ weight: 8, arbitrary: fc.constant(number(32_768)) }, odd);
  const session = started(OPEN, kind('session'), odd, size, size);
  const forward = started(OPEN, kind('direct-tcpip'), odd, size, size, words, odd, words, odd);
  const open = started(
    OPEN,
    kind('direct-streamlocal@openssh.com', 'direct-tcpip', 'forwarded-tcpip', 'x11', 'session'),
    ...[odd, odd, odd, rest],
  );
  const fields: Readonly<Record<string, readonly fc.Arbitrary<Buffer>[]>> = {
    'pty-req': [words, odd, odd, odd, odd, words],
    env: [words, words],
    shell: [],
    exec: [words],
    subsystem: [words],
    signal: [words],
    'window-change': [odd, odd, odd, odd],
    'x11-req': [flag, words, words, odd],
    'auth-agent-req@openssh.com': [],
  };
  const request = fc
    .constantFrom(...Object.entries(fields))
    .chain(([name, values]) => started(98, channel, kind(name), flag, ...values));
  const names = kind(...Object.keys(fields), 'exit-status', 'break', 'xon-xoff', '');
  const oddRequest = started(98, channel, names, flag, rest);
  const global = started(
    80,
    kind(
      ...['tcpip-forward', 'cancel-tcpip-forward', 'streamlocal-forward@openssh.com'],
      ...['cancel-streamlocal-forward@openssh.com', 'keepalive@openssh.com', ''],
    ),
    ...[flag, words, odd, rest],
  );
  const onChannel = fc
    .constantFrom(91, 92, 93, 94, 95, 96, 97, 99, 100)
    .chain((type) => started(type, channel, rest));
  const anything = fc
    .uint8Array({ minLength: 1, maxLength: 60 })
    .map((array) => Buffer.from(array))
    // Packets that begin a key exchange belong to the tests before the login.
    .filter(([type = 0]) => type > 50);
  return fc.oneof(
    { weight: 10, arbitrary: session },
    { weight: 24, arbitrary: request },
    { weight: 6, arbitrary: forward },
    ...[onChannel, open, oddRequest, global, anything],
  );
}

function joined(parts: fc.Arbitrary<readonly Buffer[]>): fc.Arbitrary<Buffer> {
  return parts.map((buffers) => Buffer.concat(buffers));
}
