/** The contract of an adapter with every request and answer judged by the document of its provider. */
import {
  type Cloud,
  type CloudOptions,
  manualClock,
  publishedDocument,
  startCloud,
  startPrism,
  unjudged,
} from '@dstack/testkit/cloud';
import { afterAll, describe, expect, it } from 'vitest';
import type { Backend } from '../port.ts';
import type { CallPace } from '../rest-vm/pace.ts';
import { describeBackend } from './contract.suite.ts';
import { passingPace } from './passing-pace.ts';
import { vmWorldOf } from './vm-world.ts';

export interface JudgedParts {
  readonly title: string;
  readonly personality: CloudOptions['personality'];
  /** In the folder of the documents. */
  readonly document: string;
  /** Where its paths begin, below the root of the account; omitted: there. */
  readonly base?: string;
  /** `url`: of the judge. */
  readonly open: (at: {
    readonly cloud: Cloud;
    readonly url: string;
    readonly pace: CallPace;
  }) => Backend;
}

/** Declares the suite. Without the documents it is one test that prints so. */
export function describeJudged(parts: JudgedParts): void {
  const document = publishedDocument(parts.document);
  if (document === null) it(...unjudged(`The adapter of ${parts.title}`));
  else describe('judged by its document', { timeout: 60_000 }, () => judge(parts, document));
}

function judge({ title, personality, base = '', open }: JudgedParts, document: string): void {
  const clock = manualClock();
  const cloud = startCloud({
    ...{ personality, clock, limits: false },
    faults: { boot_seconds: [60, 60], delete_seconds: 20 },
  });
  const judge = cloud.then(({ url }) => startPrism({ document, upstream: `${url}${base}` }));
  const violations: string[] = [];
  afterAll(async () => {
    await (await judge)[Symbol.asyncDispose]();
    await (await cloud).close();
  });

  const world = async () => {
    const [account, prism] = await Promise.all([cloud, judge]);
    const backend = open({ cloud: account, url: prism.url, pace: passingPace(clock) });
    return {
      ...vmWorldOf({ cloud: account, backend, clock }),
      calls: null,
      close: async () => {
        for (const { id } of account.account.vms.all()) await account.vanish(id);
        violations.push(...prism.violations);
      },
    };
  };

  describeBackend(title, world, ['lost answers', 'volumes', 'groups', 'gateways']);

  it('no request and no answer violates it', () => {
    expect(violations).toEqual([]);
  });
}
