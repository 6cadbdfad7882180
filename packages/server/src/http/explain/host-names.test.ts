import { expect, it } from 'vitest';
import { type AskedNames, hostNameProblems } from './host-names.ts';

const project = { id: 'p1', name: 'main' };
const PROOF = 'dstack-project=p1';

function asked(hosts: readonly string[], addresses: readonly (string | null)[] = ['192.0.2.2']) {
  return {
    run: { serviceSpec: { url: 'https://web.apps.test', model: null, options: {}, hosts } },
    project,
    gateway: { reports: addresses.map((hostname) => ({ hostname })) },
  } as unknown as AskedNames;
}

/** Names that lead to an address, and names with the record of the project. */
function dns(leads: Readonly<Record<string, string>>, proven: readonly string[]) {
  return {
    readTxt: async (name: string) => (proven.includes(name) ? ['other', PROOF] : []),
    findDnsProblem: async (name: string, { address }: { readonly address: string | null }) =>
      address === null || leads[name] === address ? null : `DNS leads ${name} elsewhere`,
  };
}

it('names that DNS leads to a replica of the gateway, and proves, have no problem', async () => {
  const known = dns({ 'a.test': '192.0.2.2', 'b.test': '192.0.2.3' }, [
    '_dstack.a.test',
    '_dstack.b.test',
  ]);
  const both = asked(['a.test', 'b.test/path', 'b.test/other'], ['192.0.2.2', '192.0.2.3']);
  expect(await hostNameProblems(known, both)).toEqual([]);
  expect(await hostNameProblems(known, asked([]))).toEqual([]);
  expect(await hostNameProblems(known, asked(['a.test'], [null]))).toEqual([]);
});

it('a name that leads elsewhere, or has lost its proof, is reported once', async () => {
  const known = dns({ 'lost.test': '192.0.2.2' }, ['_dstack.away.test']);
  const names = asked(['away.test/one', 'away.test/two', 'lost.test']);
  expect(await hostNameProblems(known, names)).toEqual([
    'DNS leads away.test elsewhere',
    expect.stringContaining('the record _dstack.lost.test TXT "dstack-project=p1"'),
  ]);
});

it('DNS that does not answer delays the answer for a short time only, and asks for few of many names', async () => {
  let lookUps = 0;
  const silent = {
    readTxt: () => new Promise<never>(() => {}),
    findDnsProblem: () => {
      lookUps += 1;
      return new Promise<never>(() => {});
    },
  };
  const many = asked(Array.from({ length: 20 }, (_, n) => `n${n}.test`));
  const problems = await hostNameProblems(silent, many, 10);
  expect(problems).toHaveLength(lookUps);
  expect(lookUps).toBeLessThan(10);
  expect(problems[0]).toMatch(/DNS has not answered within .* about n0\.test/);
});
