/**
 * Suites that others have written, through both engines of a gateway, the server itself and nginx alone, which serve
 * the same apps in one run: h2spec, the interoperability suite of gRPC, Autobahn's cases of WebSockets, and requests
 * that readers understand in two ways. What differs from nginx is printed case by case.
 * `conformance:h2spec,calls` runs these suites only. Needs root, nginx, the go command and Python.
 */
import { join } from 'node:path';
import { conformancePrograms } from '@dstack/testkit/conformance';
import { type Bed, gatewayBed, nginxBed, serverBed, type Way } from './conformance/bed.ts';
import { downgrades } from './conformance/downgrades.ts';
import { grafana } from './conformance/grafana.ts';
import { calls, h2spec, PASSED, type Results, webSockets } from './conformance/programs.ts';
import { isAmbiguous, smuggling } from './conformance/smuggling.ts';
import { print } from './measure.ts';

/** Null: this way cannot do it. */
type Suite = (way: Way) => Promise<Results | null>;

const suites: Readonly<Record<string, Suite>> = {
  h2spec,
  calls,
  websocket: (way) => {
    const { host, path } = way.at('web', false);
    return webSockets(new URL(`ws://${host.split(':')[0]}:${way.port}${path}`));
  },
  smuggling,
  downgrades,
};

const NGINX = 'nginx alone';
/** No suite of ways: the dashboard and the alerts, by programs of Grafana and Prometheus. */
const GRAFANA = 'grafana';

/** By suite and way. */
type All = Map<string, Map<string, Results>>;

export async function conformance(
  argument = [GRAFANA, ...Object.keys(suites)].join(','),
): Promise<void> {
  const names = argument.split(',').filter((name) => name !== GRAFANA);
  const unknown = names.find((name) => suites[name] === undefined);
  if (unknown !== undefined) throw new Error(`no suite ${unknown}`);
  if (argument.split(',').includes(GRAFANA)) await grafana();
  if (names.length === 0) return;
  const server = join(await conformancePrograms(), 'grpc-server');
  const all: All = new Map();
  const first = await gatewayBed('workers', server);
  try {
    const alone = await nginxBed(first.apps);
    await inBed(alone, names, all);
    if (names.includes('websocket') && first.apps.web !== null) {
      const own = await webSockets(new URL(first.apps.web.href.replace('http:', 'ws:')));
      record(all, 'websocket', 'the app itself', own);
    }
  } catch (error) {
    await first.close();
    throw error;
  }
  await inBed(first, names, all);
  await inBed(await gatewayBed('nginx', server), names, all);
  await inBed(await serverBed(), names, all);
  for (const [suite, ways] of all) printDifferences(suite, ways);
}

async function inBed({ way, close }: Bed, names: readonly string[], all: All): Promise<void> {
  try {
    for (const name of names) {
      const results = await suites[name]?.(way);
      if (results) record(all, name, way.name, results);
    }
  } finally {
    await close();
  }
}

/** Also prints how many cases passed: a suite may take long. */
function record(all: All, suite: string, way: string, results: Results): void {
  const ways = all.get(suite) ?? new Map<string, Results>();
  all.set(suite, ways.set(way, results));
  const isOurs = suite === 'smuggling' || suite === 'downgrades';
  const values = [...results.values()];
  const few: Readonly<Record<string, number>> = isOurs
    ? {
        refused: values.filter((one) => !one.includes('request')).length,
        ambiguous: values.filter(isAmbiguous).length,
      }
    : { passed: values.filter((one) => one === PASSED).length };
  print({ name: `${suite}: ${way}`, unit: 'cases', all: values.length, ...few });
}

function printDifferences(suite: string, ways: ReadonlyMap<string, Results>): void {
  const theirs = ways.get(NGINX) ?? new Map<string, string>();
  for (const [way, results] of ways) {
    if (way === NGINX) continue;
    for (const [difference, cases] of differences(results, theirs)) {
      const [ours = '', nginx = ''] = difference.split('\0');
      const named = cases.length > 12 ? `${cases.slice(0, 12).join('; ')} …` : cases.join('; ');
      print({ name: `${suite}: ${way}`, unit: '-', ours, nginx, count: cases.length, named });
    }
  }
}

/** Cases by what became of them here and at nginx. */
function differences(results: Results, theirs: Results): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, ours] of results) {
    const nginx = theirs.get(name) ?? 'not run';
    if (ours === nginx) continue;
    const key = `${ours}\0${nginx}`;
    found.set(key, [...(found.get(key) ?? []), name]);
  }
  return found;
}
