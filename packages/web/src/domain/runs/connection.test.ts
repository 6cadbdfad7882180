import type { Run } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { connectionOf, isIdeUrl, webUrl } from './connection.ts';

const origin = 'http://127.0.0.1:3000';

function run(type: string, more: object = {}, jobMore: object = {}): Run {
  return {
    run_spec: { run_name: 'dev', configuration: { type } },
    service: null,
    jobs: [
      {
        job_spec: { app_specs: [], probes: [] },
        job_submissions: [{ status: 'running', probes: [] }],
        job_connection_info: null,
        ...jobMore,
      },
    ],
    ...more,
  } as unknown as Run;
}

describe('the ways to a run', () => {
  it('are the attached session, a shell, the editor and the ports', () => {
    const info = {
      ide_name: 'VS Code',
      attached_ide_url: 'vscode://vscode-remote/ssh-remote+dev/workflow',
      attached_ssh_command: ['ssh', 'dev'],
    };
    const job_spec = { app_specs: [{ port: 8888, map_to_port: 9999 }], probes: [] };
    const connection = connectionOf(
      run('dev-environment', {}, { job_connection_info: info, job_spec }),
      origin,
    );
    expect(connection).toMatchObject({
      kind: 'ready',
      steps: [
        { command: 'dstack attach dev' },
        { command: 'ssh dev' },
        { label: 'Open in VS Code' },
        { url: 'http://127.0.0.1:9999' },
      ],
    });
  });

  it('are open only while the job runs', () => {
    const at = (status: string) =>
      connectionOf(run('task', {}, { job_submissions: [{ status, probes: [] }] }), origin).kind;
    expect([at('pulling'), at('running'), at('done')]).toEqual(['not-yet', 'ready', 'ended']);
  });

  it('lead to a service once a replica is ready', () => {
    const service = { url: '/proxy/services/main/dev/', model: null, options: {} };
    const at = (streak: number, more = {}) =>
      connectionOf(
        run(
          'service',
          { service: { ...service, ...more } },
          {
            job_spec: { app_specs: [], probes: [{ ready_after: 2 }] },
            job_submissions: [{ status: 'running', probes: [{ success_streak: streak }] }],
          },
        ),
        origin,
      );
    expect(at(1).kind).toBe('not-yet');
    expect(at(2)).toMatchObject({
      steps: [{ url: 'http://127.0.0.1:3000/proxy/services/main/dev/' }],
    });
    const hosts = ['api.example.com/embed'];
    expect(at(2, { url: 'https://dev.apps.test', hosts })).toMatchObject({
      steps: [{ url: 'https://dev.apps.test/' }, { url: 'https://api.example.com/embed' }],
    });
  });
});

it.each([
  ['javascript:alert(1)', null],
  ['data:text/html,x', null],
  ['//evil.example/x', 'http://evil.example/x'],
  ['https://svc.example', 'https://svc.example/'],
])('the address %s becomes the link %s', (url, link) => {
  expect(webUrl(url, origin)).toBe(link);
});

it('opens known editors only', () => {
  expect([isIdeUrl('vscode://x'), isIdeUrl('javascript:alert(1)'), isIdeUrl('x')]).toEqual([
    true,
    false,
    false,
  ]);
});
