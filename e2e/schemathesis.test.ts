/**
 * Schemathesis sends requests that our OpenAPI document allows, and others, to a live server: no
 * answer may be a 5xx or outside the schema. Its Python environment is kept in `.cache`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonEnvironment } from '@dstack/testkit/python-environment';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInstallation } from './installation.ts';

const { path: environment, missing } = pythonEnvironment(
  'schemathesis==4.32.5',
  'schemathesis/4.32.5',
);
if (missing !== null) console.warn(`SKIPPED: schemathesis: ${missing}`);

/**
 * Excluded: changes that would lock the test out, streams, disabled endpoints and those of other
 * programs.
 */
const LEFT_OUT =
  '^/proxy|^/metrics|users/(refresh_token|update|delete)|templates|projects/delete|/stream$|/watch$';

const CONFIG = `
[parameters]
project_name = "main"

[generation]
max-examples = 6
deterministic = true
`;

describe.skipIf(missing !== null)('the HTTP API under generated requests', () => {
  const installation = newInstallation({ DSTACK_SERVER_LOG_LEVEL: 'error' });
  let work: string;

  beforeAll(async () => {
    mkdirSync(installation.home, { recursive: true });
    work = mkdtempSync(join(installation.home, 'schemathesis-'));
    writeFileSync(join(work, 'config.toml'), CONFIG);
    await installation.startServer();
  }, 300_000);
  afterAll(() => installation.dispose());

  it('no answer is a 5xx or outside of the schema', async () => {
    const args = [
      ...['--config-file', join(work, 'config.toml'), 'run', `${installation.url}/openapi.json`],
      ...['-H', `Authorization: Bearer ${installation.token()}`, '--no-color', '-w', '1'],
      ...['--checks', 'not_a_server_error,response_schema_conformance'],
      ...['--phases', 'coverage,fuzzing', '--exclude-path-regex', LEFT_OUT],
      ...['--max-time', '75', '--warnings', 'off', '--continue-on-failure'],
    ];
    const program = join(environment ?? '', 'bin', 'schemathesis');
    const child = spawn(program, args, { cwd: work, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    const [code] = await once(child, 'close');
    expect(code, output).toBe(0);
    expect(output).toMatch(/[1-9]\d* generated/);
  }, 150_000);
});
