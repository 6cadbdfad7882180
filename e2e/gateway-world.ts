/** A server with a gateway on the same machine, and clients of the gateway. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import type { Installation } from '@dstack/testkit';
import { hasPebble, startAuthority } from '@dstack/testkit/certificate-authority';
import { jobProgram } from '@dstack/testkit/job-programs';
import { expect, vi } from 'vitest';
import { applyFleet, configuration, newInstallation } from './installation.ts';
import { requestLoad } from './request-load.ts';
import { freePort } from './serving.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));

interface Shown {
  readonly status: string;
  readonly certificates: readonly {
    readonly domain: string;
    readonly state: string;
    readonly message: string | null;
    readonly renews_at: string | null;
  }[];
}

interface Answer {
  readonly status: number;
  /** The serial number of the server's certificate; empty without TLS. */
  readonly serial: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Ask {
  readonly ca: string;
  /** The server name in the TLS connection; the requested host by default. */
  readonly name: string;
  readonly authorization: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent by POST. */
  readonly body: string;
}

/** Exit code of commands about something that does not exist. */
const NOT_FOUND = 3;

export class GatewayWorld {
  home!: Installation;
  ports!: {
    readonly http: number;
    readonly https: number;
    readonly acme: number;
    readonly dns: number;
  };
  authority: Awaited<ReturnType<typeof startAuthority>> | null = null;

  async start(): Promise<void> {
    this.ports = {
      ...{ http: await freePort(), https: await freePort() },
      ...{ acme: await freePort(), dns: await freePort() },
    };
    if (hasPebble) this.authority = await startAuthority(this.ports);
    this.home = newInstallation({
      DSTACK_GATEWAY_HTTP_PORT: String(this.ports.http),
      DSTACK_GATEWAY_HTTPS_PORT: String(this.ports.https),
      DSTACK_GATEWAY_DNS: `127.0.0.1:${this.ports.dns}`,
      DSTACK_ACME_SERVER: `https://localhost:${this.ports.acme}/dir`,
      ...(this.authority && {
        DSTACK_ACME_CA_FILE: this.authority.ca,
        ...this.authority.account,
      }),
    });
    await this.home.startServer();
    await applyFleet(this.home, '0..4');
  }

  async stop(): Promise<void> {
    const end = () => this.home.dstack(['gateway', 'delete', 'edge', '-y', '--force']);
    // After a failed test the server may be stopped; its gateway would go on for ever.
    if (this.home && ![0, NOT_FOUND].includes((await end()).code ?? 0)) {
      await this.home.stopServer();
      await this.home.startServer();
      await end();
    }
    await this.home?.dispose();
    await this.authority?.stop();
  }

  async applyGateway(certificate: string): Promise<string> {
    const yaml = `type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: ${certificate}\n`;
    return await this.home.ok(
      'apply',
      '-f',
      configuration(this.home, 'edge.dstack.yml', yaml),
      '-y',
    );
  }

  async applyService(name: string, more = ''): Promise<string> {
    const yaml = this.serviceYaml(name, more);
    return await this.home.ok(
      'apply',
      '-f',
      configuration(this.home, `${name}.yml`, yaml),
      '-y',
      '-d',
    );
  }

  serviceYaml(name: string, more: string): string {
    const command = `exec ${app}`;
    return `type: service\nname: ${name}\nport: 8000\nhttps: auto\ncommands: ['${command}']\nresources: {gpu: 0}\n${more}`;
  }

  /** The previous version of the server made the gateway: what the migration to this one writes down. */
  wasThereBefore(): void {
    const database = new DatabaseSync(join(this.home.serverDir, 'data', 'dstack.db'));
    database.exec(
      `insert or ignore into gateway_unproven_domains (gateway_id, domain)
       select id, wildcard_domain from gateways where name = 'edge' and not deleted`,
    );
    database.close();
  }

  readonly urlOf = async (run_name: string) =>
    (await this.home.api<{ service: { url: string } }>('/api/project/main/runs/get', { run_name }))
      .service.url;

  readonly untilCertificates = (states: readonly object[]) =>
    vi.waitFor(async () => expect((await this.show()).certificates).toMatchObject(states), {
      ...{ timeout: 90_000, interval: 200 },
    });

  readonly untilCertificate = (state: { readonly domain: string; readonly message: unknown }) =>
    vi.waitFor(
      async () => {
        const { certificates } = await this.show();
        expect(certificates.find(({ domain }) => domain === state.domain)).toMatchObject(state);
      },
      { timeout: 150_000, interval: 500 },
    );

  readonly show = () => this.home.api<Shown>('/api/project/main/gateways/get', { name: 'edge' });

  /** `host`: of the service; a connection to the gateway is opened for it. */
  ask(host: string, path: string, more: Partial<Ask> = {}): Promise<Answer> {
    const { ca, headers = {}, authorization = `Bearer ${this.home.token()}`, body } = more;
    const options = {
      ...{
        host: '127.0.0.1',
        port: ca ? this.ports.https : this.ports.http,
        path,
        agent: false as const,
      },
      method: body === undefined ? 'GET' : 'POST',
      headers: { host, ...(authorization !== '' && { authorization }), ...headers },
      ...(ca && { ca, servername: more.name ?? host }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = (ca ? secureRequest : request)(options, (response) => {
        const { statusCode: status = 0, headers, socket } = response;
        const serial = socket instanceof TLSSocket ? socket.getPeerCertificate().serialNumber : '';
        text(response).then((body) => resolve({ status, headers, serial, body }), reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  readonly load = (host: string, more: Partial<Ask> = {}) =>
    requestLoad(async () => {
      const answer = await this.ask(host, '/kilobyte', more);
      return answer.status === 200 ? null : answer;
    });

  readonly until = (host: string, status: number, more: Partial<Ask> = {}) =>
    this.untilAnswer(host, '/', more, status);

  readonly untilAnswer = (host: string, path: string, more: Partial<Ask>, status = 200) =>
    vi.waitFor(async () => expect((await this.ask(host, path, more)).status).toBe(status), {
      ...{ timeout: 40_000, interval: 100 },
    });

  readonly program = () => {
    const [log = ''] = this.logs();
    const state = log.slice(0, -'/gateway.log'.length).split('/').at(-1) ?? '';
    const [runtime = ''] = execFileSync('sh', [
      '-c',
      `ls -d /run/dstack-gw-${state.slice(0, 8)} ${tmpdir()}/*-gw-${state.slice(0, 8)} 2>/dev/null || true`,
    ])
      .toString()
      .trim()
      .split('\n');
    return {
      runtime,
      pid: (JSON.parse(readFileSync(`${runtime}/program.json`, 'utf8')) as { pid: number }).pid,
      nginx: Number(readFileSync(`${runtime}/nginx.pid`, 'utf8')),
    };
  };
  readonly logs = () =>
    execFileSync('sh', ['-c', `ls ${this.home.serverDir}/agent/gateways/*/gateway.log`])
      .toString()
      .trim()
      .split('\n');
}
