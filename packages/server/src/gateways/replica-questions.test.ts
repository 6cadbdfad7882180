import { EventEmitter } from 'node:events';
import type { GatewayCommand } from '@dstack/contract/agent';
import type { Peers } from '@dstack/store';
import { expect, it } from 'vitest';
import { type ReplicaAnswer, ReplicaQuestions } from './replica-questions.ts';

const READ = { type: 'read-log', lines: 500, after: null } as const;
const lines = Array.from({ length: 100 }, (_, n) => ({
  ...{ time: n, source: 'gateway' as const, level: 'info' },
  text: `"\\ü€${'x'.repeat(300)}`,
}));

function server(database: EventEmitter | null) {
  const peers: Peers = {
    send: (texts) => {
      for (const text of texts) {
        expect(Buffer.byteLength(text)).toBeLessThan(7900);
        database?.emit('text', text, peers);
      }
    },
    subscribe: (listener) => {
      const onText = (text: string, from: Peers) => from !== peers && listener(text);
      database?.on('text', onText);
      return () => database?.off('text', onText);
    },
  };
  return new ReplicaQuestions(database === null ? null : peers);
}

/** A replica that answers with these lines. */
function connect(questions: ReplicaQuestions, replica: string, isOpen = true) {
  const asked: GatewayCommand[] = [];
  questions.opened(replica, {
    isOpen: () => isOpen,
    send: (order) => {
      asked.push(order);
      const { n } = order as { n: number };
      const answer: ReplicaAnswer = { type: 'log', n, next: '1,2', skipped: false, lines };
      // Numbers of another replica's questions are not its own.
      questions.answered('other', { ...answer, lines: [] });
      questions.answered(replica, answer);
    },
  });
  return asked;
}

it('a replica is asked by the server that is connected to it, for every server of the database', async () => {
  const database = new EventEmitter();
  const [linked, other, third] = [server(database), server(database), server(database)];
  const asked = connect(linked, 'a');
  connect(third, 'a', false);
  expect(await linked.ask('a', READ)).toMatchObject({ next: '1,2', lines });
  expect(await other.ask('a', READ)).toMatchObject({ next: '1,2', lines });
  expect(asked).toEqual([
    { ...READ, n: 1 },
    { ...READ, n: 2 },
  ]);
});

it('a replica that no server is connected to has no answer', async () => {
  const alone = server(null);
  connect(alone, 'a');
  expect(await alone.ask('b', READ)).toBeNull();
  alone.forget('a');
  expect(await alone.ask('a', READ)).toBeNull();
});

it('messages of others are left alone', async () => {
  const database = new EventEmitter();
  const [linked, other] = [server(database), server(database)];
  connect(linked, 'a');
  for (const text of [
    'no JSON',
    '{}',
    '{"type":"replica-answer","reader":"r","piece":"!","isLast":true}',
  ]) {
    database.emit('text', text, null);
  }
  expect(await other.ask('a', READ)).toMatchObject({ lines });
  linked.close();
  other.close();
  expect(database.listenerCount('text')).toBe(0);
});
