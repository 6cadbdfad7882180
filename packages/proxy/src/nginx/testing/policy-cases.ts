/**
 * One table of cases for the policy in both languages: what happens to replicas, one line each, and what `run` of this
 * file answers by the functions of the proxy. `policy-cases.lua` answers the same lines by `policy.lua`.
 */
import { latencyBucket } from '@dstack/contract/load';
import { isBetter } from '../../policy/choice.ts';
import { durationBucket } from '../../policy/latency-totals.ts';
import {
  afterEjection,
  type Ejections,
  ejectedAgain,
  ejectionOf,
  NO_EJECTIONS,
} from '../../policy/outliers.ts';
import { avoidedMs } from '../../policy/refusals.ts';
import {
  afterAnswer,
  afterStart,
  isServerError,
  NEW_RECORD,
  type ReplicaRecord,
} from '../../policy/replica-record.ts';

interface Known {
  record: ReplicaRecord;
  ejections: Ejections;
}

/** Answers one line for each line of the table. */
export function run(lines: readonly string[]): string[] {
  let known = new Map<string, Known>();
  const of = (name: string) => {
    const found = known.get(name) ?? { record: NEW_RECORD, ejections: NO_EJECTIONS };
    known.set(name, found);
    return found;
  };
  return lines.map((line) => {
    const [kind = '', ...words] = line.split(' ');
    const [first = '', ...rest] = words;
    const numbers = rest.map(Number);
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = numbers;
    switch (kind) {
      case 'new':
        known = new Map();
        return 'new';
      case 'start':
        of(first).record = afterStart(of(first).record, a);
        return shown(of(first).record);
      case 'answer':
        of(first).record = afterAnswer(of(first).record, { isError: a === 1, ms: b }, c);
        return shown(of(first).record);
      case 'better': {
        const one = { record: of(first).record, waiting: a, streaming: b };
        const other = { record: of(rest[2] ?? '').record, waiting: d, streaming: e };
        return String(isBetter(one, other, numbers[5] ?? 0));
      }
      case 'judge':
        return judged(of(first), a, rest.slice(1), of);
      case 'avoided':
        return number(avoidedMs(Number(first), a));
      case 'error':
        return String(isServerError(Number(first)));
      default:
        return `${durationBucket(Number(first) / 1000)}:${latencyBucket(Number(first))}`;
    }
  });
}

function judged(
  own: Known,
  now: number,
  named: readonly string[],
  of: (name: string) => Known,
): string {
  const peers = named.map((text) => {
    const [name = '', isUsable] = text.split(':');
    const { record, ejections } = of(name);
    return { record, isEjected: now < ejections.until, isUsable: isUsable === '1' };
  });
  const why = ejectionOf(own.record, peers, now);
  if (why === null) return 'stays';
  own.ejections = ejectedAgain(own.ejections, now);
  own.record = afterEjection(own.record);
  const figures = why.cause === 'errors_in_row' ? [why.errors, 0] : [why.rate, why.others];
  const { level, until } = own.ejections;
  return [why.cause, ...[...figures, level, until].map(number), shown(own.record)].join(' ');
}

const shown = (one: ReplicaRecord): string =>
  [one.at, one.answers, one.errors, one.errorsInRow, one.errorShare, one.latency ?? -1, one.starts]
    .map(number)
    .join(' ');

const number = (value: number): string => value.toPrecision(17);

/** The same each time. */
export function table(): string[] {
  let state = 1;
  const random = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  const lines: string[] = [];
  const names = ['a', 'b', 'c', 'd'];
  const name = () => names[random(names.length)] ?? 'a';
  for (let world = 0; world < 60; world++) {
    lines.push('new');
    const broken = name();
    let now = 1_000_000 + random(1000);
    for (let step = 0; step < 120; step++) {
      // Every second time errors are never in a row for long, and nothing is forgotten.
      const isEven = world % 2 === 1;
      now += !isEven && random(10) === 0 ? random(90_000) : random(100);
      const one = random(2) === 0 ? broken : name();
      const others = names.filter((other) => other !== one);
      const isBad = isEven ? step % 3 > 0 : random(4) > 0;
      const isError = one === broken ? isBad : random(40) === 0;
      lines.push(`start ${one} ${now}`);
      lines.push(`answer ${one} ${isError ? 1 : 0} ${random(3000)} ${now + random(50)}`);
      const peers = others.map((other) => `${other}:${random(8) === 0 ? 0 : 1}`).join(' ');
      if (isError) lines.push(`judge ${one} ${now} ${peers}`);
      const counts = () => `${random(6)} ${random(4)}`;
      lines.push(`better ${one} ${counts()} ${others[0]} ${counts()} ${now}`);
    }
  }
  for (let n = 1; n < 12; n++) for (const age of [0, 20_000]) lines.push(`avoided ${n} ${age}`);
  for (let status = 400; status < 600; status += 1) lines.push(`error ${status} 0`);
  for (let n = 0; n < 400; n++) lines.push(`bucket ${random(1000) * 10 ** (random(6) - 1)} 0`);
  return lines;
}
