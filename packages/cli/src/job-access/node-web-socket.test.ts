import { createServer } from 'node:http';
import { join } from 'node:path';
import { createClient } from '@dstack/client';
import { nodeWebSocket } from '@dstack/client/node-web-socket';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { withDirectory } from '../testing/run-command.ts';

test('a server on a unix socket is reached, as jobs with `dstack: true` do', () =>
  withDirectory(async (directory) => {
    const path = join(directory, 'server.sock');
    const http = createServer();
    const sockets = new WebSocketServer({ server: http, handleProtocols: () => 'dstack.v1' });
    sockets.on('connection', (client, request) => {
      client.once('message', () => {
        client.send(Buffer.from(`\u0001${request.url}`));
        client.send(JSON.stringify({ type: 'exit', status: 4, signal: null }));
        client.close(1000);
      });
    });
    await new Promise<void>((resolve) => http.listen(path, resolve));
    onTestFinished(() => {
      http.close();
      sockets.close();
    });
    const url = `http+unix://${encodeURIComponent(path)}`;
    const client = createClient({ url, token: 't', webSocket: nodeWebSocket });
    let output = '';
    const { jobs } = client.project('main');
    const onOutput = (bytes: Uint8Array) => {
      output += Buffer.from(bytes).toString();
    };
    const session = jobs.exec('train', { argv: ['ls'], job: 1 }, { onOutput });
    expect(await session.result).toEqual({ status: 4, signal: null });
    expect(output).toBe('/api/project/main/runs/train/exec?job=1');
  }));

test('a connection that is not possible names the reason of the system', async () => {
  const client = createClient({ url: 'http://127.0.0.1:1', token: 't', webSocket: nodeWebSocket });
  const session = client.project('main').jobs.exec('train', {}, { onOutput: () => {} });
  await expect(session.result).rejects.toMatchObject({ errorCode: 'ECONNREFUSED' });
});
