import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Outgoing } from '../../outgoing/outgoing.ts';
import { OutgoingRules } from '../../outgoing/outgoing-rules.ts';
import { tokenizerHub } from './tokenizer-hub.ts';

let server: Server;
let asked: Pick<IncomingMessage, 'url' | 'headers'>;
let answer: readonly [number, string] = [200, '{}'];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked = { url: request.url, headers: request.headers };
    response.writeHead(answer[0]).end(answer[1]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const outgoing = new Outgoing(new OutgoingRules(['127.0.0.1']));
afterAll(() => outgoing.close());

const hub = () =>
  tokenizerHub(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, outgoing);

it('returns the chat template of a model', async () => {
  answer = [200, '{"chat_template":"{{ x }}","eos_token":"</s>","other":1}'];
  expect(await hub()('org/name', 'hf')).toEqual({ chatTemplate: '{{ x }}', eosToken: '</s>' });
  expect(asked.url).toBe('/org/name/resolve/main/tokenizer_config.json');
  expect(asked.headers.authorization).toBe('Bearer hf');
});

it('accepts the other forms of the file', async () => {
  const templates = [
    { name: 'tool_use', template: 't' },
    { name: 'default', template: 'd' },
  ];
  answer = [200, JSON.stringify({ chat_template: templates, eos_token: { content: '<e>' } })];
  expect(await hub()('m', null)).toEqual({ chatTemplate: 'd', eosToken: '<e>' });
  expect(asked.headers.authorization).toBeUndefined();
  answer = [200, '{"eos_token":null}'];
  expect(await hub()('m', null)).toEqual({ chatTemplate: null, eosToken: null });
});

it.each([
  [403, null, /Private HF models are not supported/],
  [401, null, /set HF_TOKEN/],
  [401, 'hf', /set a valid HF_TOKEN/],
  [500, null, /Failed to get tokenizer info: status 500/],
  [200, null, /Failed to get tokenizer info: .*JSON/],
])('reports an answer of %i to the token %j', async (status, token, why) => {
  answer = [status, 'not JSON'];
  await expect(hub()('m', token)).rejects.toThrow(why);
});
