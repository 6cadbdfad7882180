/** Quotas of EC2: vCPUs that may run at once in a region, for each family of types. */
import { errorMessage } from '@dstack/contract/error-message';
import { BusyError, NoAnswerError } from '../base/errors.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import type { AwsClient } from './aws-client.ts';
import { awsPages } from './pages.ts';

export interface QuotaBucket {
  /** AWS's code of the quota. */
  readonly code: string;
  /** For people. */
  readonly title: string;
}

interface Family {
  readonly title: string;
  readonly of: RegExp;
  readonly onDemand: string;
  readonly spot: string;
}

/** The first one that fits. */
const FAMILIES: readonly Family[] = [
  { title: 'P5', of: /^p5/, onDemand: 'L-417A185B', spot: 'L-C4BD4855' },
  { title: 'P', of: /^p\d/, onDemand: 'L-417A185B', spot: 'L-7212CCBC' },
  { title: 'G', of: /^g(r?)\d/, onDemand: 'L-DB2E81BA', spot: 'L-3819A6DF' },
];
const STANDARD: Family = {
  title: 'Standard',
  of: /^/,
  onDemand: 'L-1216C47A',
  spot: 'L-34B43A08',
};

export function bucketOf(type: string, isSpot: boolean): QuotaBucket {
  const family = FAMILIES.find(({ of }) => of.test(type)) ?? STANDARD;
  const title = family.title === 'P5' && !isSpot ? 'P' : family.title;
  return isSpot ? { code: family.spot, title: `${title} spot` } : { code: family.onDemand, title };
}

/** Limits by their codes; what is not in it is not known. */
export type QuotaLimits = ReadonlyMap<string, number>;

interface QuotaPage {
  readonly Quotas?: readonly { readonly QuotaCode?: string; readonly Value?: number }[];
  readonly NextToken?: string | null;
}

const PAGE = 100;

/** `problem`: why the limits are not known, for people; null = they are. */
export async function ec2Quotas(
  client: AwsClient,
  region: string,
): Promise<{ readonly limits: QuotaLimits; readonly problem: string | null }> {
  const limits = new Map<string, number>();
  try {
    const action = 'ListServiceQuotas';
    const pages = await awsPages(action, async (NextToken) => {
      const page = await client.json<QuotaPage>({
        ...{ service: 'servicequotas', region, action, kind: 'look' },
        parameters: { ServiceCode: 'ec2', MaxResults: PAGE, ...(NextToken && { NextToken }) },
      });
      return { page, next: page.NextToken ?? null };
    });
    for (const { QuotaCode: code, Value: value } of pages.flatMap(({ Quotas }) => Quotas ?? [])) {
      if (code !== undefined && value !== undefined) limits.set(code, value);
    }
    return { limits, problem: null };
  } catch (error) {
    // A service that does not know them, as opposed to a missing right.
    const isSilent =
      error instanceof MissingThingError ||
      error instanceof NoAnswerError ||
      error instanceof BusyError;
    return { limits, problem: isSilent ? null : errorMessage(error) };
  }
}
