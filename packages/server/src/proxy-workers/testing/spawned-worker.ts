/**
 * A worker of which only the messages to its server are real. With `--accepts` it accepts connections itself, with
 * `--drains` it takes no new ones and never ends. At the message `break` it ends the connection to the server, and goes on.
 * The first one that finds the file `dies` in its folder ends before it answers.
 */
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type Spawn, WORKER_PROTOCOL } from '../protocol.ts';

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const { values } = parseArgs({
  options: {
    ...{ dir: text, id: text, socket: text, build: text, host: text, port: text, url: text },
    behind: text,
    ...{ accepts: flag, drains: flag },
  },
});
const dies = join(values.dir ?? '/nowhere', 'dies');
if (existsSync(dies)) {
  rmSync(dies);
  process.exit(1);
}

const address = {
  host: values.host,
  port: Number(values.port),
  url: values.url,
  behind: values.behind ?? null,
};
const hello = {
  ...{ protocol: WORKER_PROTOCOL, id: values.id, build: values.build, pid: process.pid },
  ...{ address, isDraining: values.drains === true },
};

function answerOf(type: string, data: unknown): unknown {
  if (type === 'sync') return { isAccepting: values.accepts === true };
  if (type === 'drain' && values.drains !== true) setImmediate(() => process.exit());
  if (type !== 'spawn') return null;
  const { node, args } = data as Spawn;
  return spawn(node, [...args], { detached: true, stdio: 'ignore' }).pid ?? null;
}

createServer((connection) => {
  const send = (frame: unknown) => connection.write(`${JSON.stringify(frame)}\n`);
  send({ type: 'hello', data: hello });
  createInterface(connection).on('line', (line) => {
    const { type, id, data } = JSON.parse(line);
    if (type === 'break') connection.destroy();
    else if (id !== undefined) send({ to: id, data: answerOf(type, data) });
  });
}).listen(values.socket, () => process.stdout.write('ready'));
