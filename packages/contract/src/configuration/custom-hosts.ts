import * as z from 'zod';
import { parseHostPath } from '../grammar/host-path.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { reportIssue } from './issue.ts';
import { firstDuplicate } from './rules.ts';
import { stringBy } from './scalars.ts';

/** Each needs a certificate and a look-up in DNS. */
const MOST = 16;

/** Host names of a service, also with paths, besides the one below the domain of its gateway. */
export const CustomHosts = z.array(stringBy(parseHostPath)).superRefine((hosts, ctx) => {
  if (hosts.length > MOST) {
    reportIssue(ctx, hosts, new Problem(`must have ${MOST} names or fewer, got ${hosts.length}`));
  }
  const twice = firstDuplicate(hosts);
  if (twice !== undefined) reportIssue(ctx, hosts, new Problem(`has ${quote(twice)} twice`));
});
