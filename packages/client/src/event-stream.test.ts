import { expect, test } from 'vitest';
import { readEventStream, type ServerSentEvent } from './event-stream.ts';

async function read(...chunks: string[]): Promise<ServerSentEvent[]> {
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield new TextEncoder().encode(chunk);
  }
  const events: ServerSentEvent[] = [];
  for await (const event of readEventStream(body())) events.push(event);
  return events;
}

test('events keep their type, id and data', async () => {
  expect(await read('id: 5\nevent: run\ndata: {"a":1}\n\ndata: x\n\n')).toEqual([
    { event: 'run', data: '{"a":1}', id: '5' },
    { event: 'message', data: 'x', id: '5' },
  ]);
});

test('events may be cut anywhere by the network', async () => {
  const text = 'id: 7\r\ndata: first\r\ndata: second\r\n\r\nevent: end\r\ndata:\r\n\r\n';
  const whole = await read(text);
  expect(whole).toEqual([
    { event: 'message', data: 'first\nsecond', id: '7' },
    { event: 'end', data: '', id: '7' },
  ]);
  for (let at = 1; at < text.length; at += 1) {
    expect(await read(text.slice(0, at), text.slice(at))).toEqual(whole);
  }
});

test('comments are skipped and an unfinished event is dropped', async () => {
  expect(await read(': keep-alive\n\ndata: a\n\ndata: b\n')).toEqual([
    { event: 'message', data: 'a', id: '' },
  ]);
});
