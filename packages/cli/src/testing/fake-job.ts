import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import type { FakeServer } from './fake-server.ts';

/** The first message of a client. */
export interface StartedCommand {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly argv?: readonly string[];
  readonly command?: string;
  readonly tty: { readonly cols: number; readonly rows: number } | null;
}

/** The program of a command; `input` is everything that is sent to it, up to its end. */
export interface FakeCommand {
  /** Typed input, the size of the terminal and signals, as text. */
  read(): Promise<string>;
  print(text: string, isError?: boolean): void;
  exit(status: number): void;
  fail(code: string, message: string): void;
  /** Breaks the connection. */
  cut(): void;
  /** Closes the connection as a server does that stops. */
  goAway(): void;
}

/** Jobs of a fake server, in which `run` plays the program of each command. */
export function fakeJobs(
  server: FakeServer,
  run: (started: StartedCommand, command: FakeCommand) => void | Promise<void>,
): void {
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'dstack.v1' });
  onTestFinished(() => {
    for (const client of sockets.clients) client.terminate();
  });
  server.onUpgrade((request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (client) => {
      const received: string[] = [];
      let wake = (): void => {};
      const command: FakeCommand = {
        async read() {
          while (received.length === 0) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
          return received.shift() ?? '';
        },
        print(text, isError = false) {
          client.send(Buffer.concat([Buffer.of(isError ? 2 : 1), Buffer.from(text)]));
        },
        exit(status) {
          client.send(JSON.stringify({ type: 'exit', status, signal: null }));
          client.close(1000);
        },
        fail(code, message) {
          client.send(JSON.stringify({ type: 'error', code, message }));
          client.close(4409);
        },
        cut: () => socket.destroy(),
        goAway: () => client.close(1001),
      };
      client.on('message', (data: Buffer, isBinary) => {
        if (isBinary) {
          received.push(data.subarray(1).toString());
          wake();
          return;
        }
        const message = JSON.parse(data.toString());
        if (message.type === 'start') {
          const { authorization } = request.headers;
          void run({ url: request.url ?? '', authorization, ...message }, command);
          return;
        }
        const { type, ...rest } = message;
        received.push([type, ...Object.values(rest)].join(' '));
        wake();
      });
    });
  });
}
