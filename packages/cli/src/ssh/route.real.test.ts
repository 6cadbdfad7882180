import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Job, Run } from '@dstack/contract/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CliError } from '../errors.ts';
import { recordedAnswer } from '../testing/recordings.ts';
import { withDirectory } from '../testing/run-command.ts';
import { renderBlocks, routeTo } from './route.ts';

const missing = existsSync('/usr/bin/ssh') ? null : 'ssh';
if (missing) console.warn(`SSH configurations are NOT tested: ${missing} is missing`);

/** How long answers are generated; `DSTACK_FUZZ_SEED` repeats a run. */
const LIMIT_MS = 15_000;
const run = promisify(execFile);

type Directives = ReadonlyMap<string, readonly string[]>;

/** The options that ssh would use for a host, by keyword. */
async function readBySsh(config: string, host: string): Promise<Directives> {
  const { stdout } = await run('ssh', ['-G', '-F', config, '--', host]);
  const found = new Map<string, string[]>();
  for (const line of stdout.split('\n').filter((each) => each !== '')) {
    const [keyword = '', ...value] = line.split(' ');
    found.set(keyword, [...(found.get(keyword) ?? []), value.join(' ')]);
  }
  return found;
}

/** The keywords in which two answers differ, with the value of the second one. */
function difference(plain: Directives, found: Directives): Record<string, string> {
  const changed = [...found].filter(([word, values]) => {
    return JSON.stringify(plain.get(word)) !== JSON.stringify(values);
  });
  const lost = [...plain.keys()].filter((word) => !found.has(word)).map((word) => [word, '']);
  return Object.fromEntries([...changed.map(([word, values]) => [word, values.join()]), ...lost]);
}

const tricks = fc.constantFrom(
  ...['\n  ProxyCommand touch x', '\r', ' ', '\t', '"', "'", '#', '%h', '%%', '${HOME}', '\\', '='],
  ...['\nHost *', '\nMatch exec "touch x"', '\nInclude /etc/passwd', ',', '-', '-o', '*', '!', '@'],
  ...[
    '\0',
    '\u2028',
    '\u0085',
    '::1',
    'fe80::1%eth0',
    '1.2.3.4',
    'root',
    'a.example.org',
    'CORP\\me',
  ],
);
const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('root', 'gpu-1', '10.0.0.1', 'u@b', '::1', 'D\\u') },
  { weight: 2, arbitrary: fc.array(fc.oneof(tricks, fc.string())).map((parts) => parts.join('')) },
  fc.string({ unit: 'binary' }),
  fc.oneof(fc.ipV6(), fc.ipV4(), fc.ipV4Extended(), fc.domain()),
);
const number = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 65_535 }) },
  fc.oneof(fc.integer(), fc.double(), text),
);
const name = fc.oneof({ weight: 4, arbitrary: fc.constant('train') }, text);
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 2 });

const answers = fc.record({
  name,
  job: fc.record({ job_name: name, replica_num: fc.nat(1), job_num: fc.nat(1) }),
  user: orNull(text),
  placed: fc.record({
    hostname: text,
    ssh_port: orNull(number),
    username: text,
    dockerized: fc.boolean(),
    ssh_proxy: orNull(fc.record({ hostname: text, port: orNull(number), username: text })),
  }),
  runtime: fc.record({ username: orNull(text), ports: fc.record({ '10022': orNull(number) }) }),
  info: orNull(
    fc.record({ sshproxy_hostname: text, sshproxy_port: number, sshproxy_upstream_id: text }),
  ),
  identity: fc.constantFrom('/h/key', '/h/my key', '/h/100%/it’s #1', "/h/a'b", '/h/%d'),
});
type Answer = typeof answers extends fc.Arbitrary<infer T> ? T : never;

function invented(recorded: Run, answer: Answer): { run: Run; job: Job } {
  const copy = structuredClone(recorded);
  const job = copy.jobs[0] as Job;
  copy.run_spec.run_name = answer.name;
  Object.assign(job.job_spec, answer.job, { user: answer.user && { username: answer.user } });
  const submission = job.job_submissions.at(-1);
  Object.assign(submission?.job_provisioning_data ?? {}, answer.placed);
  Object.assign(submission ?? {}, { job_runtime_data: answer.runtime });
  Object.assign(job, { job_connection_info: answer.info });
  return { run: copy, job };
}

/** How `ssh -G` shows a value: without quotes, and host names with their escapes resolved. */
function shown(keyword: string, value: string): string {
  const bare = value.replace(/^"(.*)"$/s, '$1');
  return keyword === 'HostName' ? bare.replaceAll('%%', '%').toLowerCase() : bare;
}

/** An IPv6 address can be written in several ways. */
function inOneForm(value: string | undefined): string | undefined {
  const [address = '', zone] = value?.split('%') ?? [];
  return isIPv6(address) ? `${new URL(`http://[${address}]`).hostname}%${zone}` : value;
}

/** Values that we write, and that `ssh -G` may print in another form. */
const OURS = ['stricthostkeychecking', 'userknownhostsfile', 'loglevel', 'identitiesonly'];
/** The options that ssh turns off by itself if it stores no host keys. */
const CONSEQUENCES = ['updatehostkeys'];

describe.skipIf(missing !== null)('the SSH configuration of a run', () => {
  it("contains the server's values exactly, or is not written", async () => {
    const seed = Number(process.env.DSTACK_FUZZ_SEED ?? Date.now() % 2 ** 31);
    console.info(`seed ${seed}`);
    const recorded = await recordedAnswer<Run>('run-get-failed', '/api/project/main/runs/get');
    let written = 0;
    await withDirectory(async (dir) => {
      const config = join(dir, 'config');
      await writeFile(config, '');
      const plain = new Map<string, Directives>();
      const plainOf = async (host: string) => {
        const known = plain.get(host) ?? (await readBySsh('none', host));
        plain.set(host, known);
        return known;
      };
      const property = fc.asyncProperty(answers, async (answer) => {
        const { run, job } = invented(recorded, answer);
        const route = (() => {
          try {
            return routeTo(run, job, answer.identity);
          } catch (error) {
            if (error instanceof CliError) return null;
            throw error;
          }
        })();
        if (route === null) return;
        written += 1;
        await writeFile(config, renderBlocks(route.blocks));
        expect(
          difference(await plainOf('bystander'), await readBySsh(config, 'bystander')),
        ).toEqual({});
        for (const { host, options } of route.blocks) {
          const found = difference(await plainOf(host), await readBySsh(config, host));
          const intended = Object.fromEntries(
            Object.entries(options).map(([word, value]) => [
              word.toLowerCase(),
              shown(word, value),
            ]),
          );
          const free = Object.keys(found).filter(
            (word) => !(word in intended) && !CONSEQUENCES.includes(word),
          );
          expect(free).toEqual([]);
          for (const [word, value] of Object.entries(intended)) {
            if (OURS.includes(word)) continue;
            const actual = found[word] ?? (await plainOf(host)).get(word)?.join();
            expect([word, inOneForm(actual)]).toEqual([word, inOneForm(value)]);
          }
        }
      });
      await fc.assert(property, { seed, numRuns: 10_000, interruptAfterTimeLimit: LIMIT_MS });
    });
    expect(written).toBeGreaterThan(0);
  });
});
