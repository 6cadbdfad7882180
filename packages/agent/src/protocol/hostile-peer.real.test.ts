import { once } from 'node:events';
import { connect } from 'node:net';
import { fuzz } from '@dstack/testkit/fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';

let agent: AgentHarness;
beforeAll(async () => {
  agent = new AgentHarness();
  await agent.start();
});
afterAll(() => agent.dispose());

/** Expects the same process as at the beginning, and an answer from it. */
async function isServing(): Promise<void> {
  expect((await agent.call('GET', '/v1/info')).status).toBe(200);
  process.kill(agent.pid, 0);
}

const CUT = 'the connection was cut while more was being sent';

/** Sends raw bytes. Resolves with everything received until the end, or with `CUT`. */
async function exchange(bytes: string | Buffer): Promise<string> {
  const socket = connect(agent.socket);
  let answer = '';
  let isCut = false;
  socket.on('data', (piece) => {
    answer += piece;
  });
  // A peer that closes before it has read everything resets the connection, and Node then drops the
  // answer.
  socket.on('error', () => {
    isCut = true;
  });
  socket.end(bytes);
  return await new Promise((resolve) =>
    socket.on('close', () => resolve(isCut && answer === '' ? CUT : answer)),
  );
}

/** Values that no field accepts. */
const ODD: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, -1, 0.5, 1e308, '', '\0', '../..', '__proto__', [], {}, [[]], [null], true],
    ...['x'.repeat(100_000), { length: 5 }, { toString: 1 }, { __proto__: { id: 1 } }],
  ),
  fc.jsonValue({ maxDepth: 3 }),
);

// Held, so that nothing of it ever runs.
const SPEC = { ...jobSpec(['true']), hold: true };
const BODIES: readonly object[] = [
  SPEC,
  { grace: true, reason: 'x', message: null },
  { wanted: [{ image: 'x', auth: null }], policy: { disk_high_percent: 1, unused_for: 1 } },
];

/** The body of a command with one value of another kind, perhaps nested. */
const body: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(...BODIES), fc.nat(), ODD)
  .map(([good, at, odd]) => {
    const keys = Object.keys(good);
    const key = keys[at % keys.length] ?? '';
    return JSON.stringify({ ...good, [key]: odd, ...('hold' in good ? { hold: true } : {}) });
  });

const path = fc.oneof(
  fc.constantFrom(
    ...['/v1/info', `/v1/jobs/${SPEC.id}`, `/v1/jobs/${SPEC.id}/stop`, '/v1/images', '/v1/stream'],
    ...[`/v1/jobs/${SPEC.id}/start`, `/v1/jobs/${SPEC.id}/archives/x`, `/v1/jobs/${SPEC.id}/code`],
    ...[`/v1/jobs/${SPEC.id}/ports/80`, `/v1/jobs/${SPEC.id}/ssh`],
    ...['/v1/jobs/..%2f..', '/%', '/%00', '//', '/v1/jobs/%ff'],
  ),
  fc.webPath().map((text) => `/${text}`),
);

/** Bytes that a socket buffers before the peer reads. */
const SENT_AT_ONCE = 64 * 1024;

/** Stands for a text that is too long for a report. */
const DEEP = 'two hundred thousand lists in each other';

it('survives any request', async () => {
  const method = fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD');
  const content = fc.oneof(body, fc.json(), fc.string(), fc.constant(DEEP));
  await fuzz(
    'commands to an agent',
    fc.asyncProperty(method, path, content, async (verb, where, chosen) => {
      const text = chosen === DEEP ? '['.repeat(200_000) : chosen;
      const head = [
        `${verb} ${where} HTTP/1.1`,
        `Authorization: Bearer ${agent.token}`,
        `Content-Length: ${Buffer.byteLength(text)}`,
        'Connection: close',
      ];
      const answer = await exchange(`${head.join('\r\n')}\r\n\r\n${text}`);
      if (answer === CUT && text.length > SENT_AT_ONCE) return;
      // No input may cause a server error.
      expect(answer).toMatch(/^HTTP\/1\.1 (200|204|400|404|409|413)/);
    }),
  );
  await isServing();
});

it('survives any bytes', async () => {
  const word = fc.constantFrom('GET', 'Upgrade: tcp', '\r\n', ':', 'Connection: Upgrade', '\0');
  const odd = fc.array(fc.oneof(word, fc.string(), path), { maxLength: 12 });
  await fuzz(
    'bytes to an agent',
    fc.asyncProperty(odd, fc.boolean(), async (words, isUpgrade) => {
      const start = isUpgrade
        ? `GET /v1/stream HTTP/1.1\r\nAuthorization: Bearer ${agent.token}\r\nUpgrade: websocket\r\n`
        : '';
      await exchange(start + words.join(' '));
    }),
  );
  await isServing();
});

it('survives any message on the stream, and closes the stream for one that is not a frame', async () => {
  const key = fc.constantFrom('type', 'id', 'logs', 'server_id', 'bytes', 'offset', 'states');
  const frames: readonly object[] = [
    { type: 'resume', server_id: 'server-1', logs: { [SPEC.id]: 0 } },
    { type: 'ack', states: 1, logs: { [SPEC.id]: 1 } },
    { type: 'credit', id: SPEC.id, bytes: 5 },
    { type: 'rewind', id: SPEC.id, offset: 5 },
  ];
  const changed = fc
    .tuple(fc.constantFrom(...frames), fc.dictionary(key, ODD, { maxKeys: 2 }))
    .map(([frame, change]) => JSON.stringify({ ...frame, ...change }));
  const binary = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array));
  const message = fc.oneof(changed, fc.json(), fc.string(), binary);
  await fuzz(
    'frames to an agent',
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
      const socket = new WebSocket(`ws+unix://${agent.socket}:/v1/stream`, {
        headers: { authorization: `Bearer ${agent.token}` },
      });
      socket.on('error', () => {});
      await once(socket, 'open');
      for (const each of messages) socket.send(each);
      socket.close(1000);
      const [code] = await once(socket, 'close');
      // Closed by the test, for a bad frame, for another server, by a newer stream.
      expect([1000, 1005, 1006, 4400, 4003, 4001]).toContain(code);
    }),
  );
  await isServing();
});
