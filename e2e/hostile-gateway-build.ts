/** The product with a program of gateways that sends what a test wants over its link to the server. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';

export interface HostileGatewayBuild {
  readonly program: string;
  /** Sends these messages as they are, after everything that was sent before. */
  send(...messages: readonly object[]): void;
  /** The messages of the server. */
  received(): readonly Readonly<Record<string, unknown>>[];
  /** The ids of the tunnels that the server has opened. */
  opened(): readonly string[];
  dispose(): void;
}

/**
 * The program is the real one: it registers, serves and reports. Beside that, lines that are appended to `orders` go
 * out over its connection to the server, and what comes in is copied to `received` and `opened`.
 */
const patch = (dir: string): string => `
import hostileFs from 'node:fs';
import hostileNet from 'node:net';
const hostile = { control: null, sent: 0, write: hostileNet.Socket.prototype.write };
const hostileDir = ${JSON.stringify(dir)};
hostileNet.Socket.prototype.write = function (data, ...rest) {
  if (String(data).startsWith('{"type":"status"')) hostile.control = this;
  return Reflect.apply(hostile.write, this, [data, ...rest]);
};
const hostileEmit = hostileNet.Socket.prototype.emit;
hostileNet.Socket.prototype.emit = function (name, ...rest) {
  if (this === hostile.control && name === 'data')
    hostileFs.appendFileSync(hostileDir + '/received', rest[0]);
  return Reflect.apply(hostileEmit, this, [name, ...rest]);
};
const hostileParse = JSON.parse;
JSON.parse = function (text, ...rest) {
  const value = hostileParse(text, ...rest);
  if (value?.type === 'tunnel' && value.host_id === undefined)
    hostileFs.appendFileSync(hostileDir + '/opened', value.id + '\\n');
  return value;
};
setInterval(() => {
  if (hostile.control === null || hostile.control.destroyed) return;
  const text = hostileFs.readFileSync(hostileDir + '/orders', 'utf8');
  const whole = text.slice(hostile.sent, text.lastIndexOf('\\n') + 1);
  if (whole.length <= 0) return;
  hostile.sent += whole.length;
  Reflect.apply(hostile.write, hostile.control, [whole]);
}, 20);
`;

export function hostileGatewayBuild(): HostileGatewayBuild {
  const root = resolve(import.meta.dirname, '..');
  const copy = join(root, 'dist', `hostile-${process.pid}`);
  const dir = join(copy, 'lies');
  for (const part of ['bin', 'dist/cli', 'dist/server', 'dist/agent']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  mkdirSync(dir);
  writeFileSync(join(dir, 'orders'), '');
  const gateway = join(copy, 'dist', 'agent', 'gateway.js');
  writeFileSync(gateway, patch(dir) + readFileSync(gateway, 'utf8'));
  return {
    program: join(copy, 'bin', 'dstack'),
    send: (...messages) =>
      appendFileSync(
        join(dir, 'orders'),
        messages.map((message) => `${JSON.stringify(message)}\n`).join(''),
      ),
    received: () => linesOf(join(dir, 'received')).flatMap(parsed),
    opened: () => linesOf(join(dir, 'opened')),
    dispose: () => rmSync(copy, { recursive: true, force: true }),
  };
}

function linesOf(path: string): readonly string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
}

/** The last line may not be whole yet. */
function parsed(line: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    return line === '' ? [] : [JSON.parse(line)];
  } catch {
    return [];
  }
}
