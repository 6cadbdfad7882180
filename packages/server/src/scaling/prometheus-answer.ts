/** Reads the answer of Prometheus to an instant query. */
import { errorMessage } from '@dstack/contract/error-message';
import * as z from 'zod';

const Sample = z.tuple([z.number(), z.string()]);

const Answer = z.union([
  z.object({
    status: z.literal('success'),
    data: z.union([
      z.object({ resultType: z.enum(['scalar', 'string']), result: Sample }),
      z.object({ resultType: z.literal('vector'), result: z.array(z.object({ value: Sample })) }),
    ]),
  }),
  z.object({ status: z.literal('error'), error: z.string() }),
]);

const MOST_ERROR = 300;

/** The one value; throws with a sentence for the user. */
export function prometheusValue(status: number, body: string): number {
  const answer = Answer.safeParse(jsonOf(status, body));
  if (!answer.success) {
    throw new Error(`${httpText(status)} is no answer of Prometheus to a query of one moment`);
  }
  if (answer.data.status === 'error') throw new Error(answer.data.error.slice(0, MOST_ERROR));
  const { data } = answer.data;
  const samples =
    data.resultType === 'vector' ? data.result.map(({ value }) => value) : [data.result];
  const [first] = samples;
  if (first === undefined) {
    throw new Error("the query finds no series: append 'or vector(0)' if that means 0");
  }
  if (samples.length > 1) {
    throw new Error(`the query finds ${samples.length} series: reduce them to one, as sum() does`);
  }
  const value = Number(first[1]);
  if (!Number.isFinite(value)) throw new Error(`the value is ${first[1]} instead of a number`);
  return value;
}

function jsonOf(status: number, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new Error(`${httpText(status)} has no JSON: ${errorMessage(error)}`.slice(0, MOST_ERROR));
  }
}

const httpText = (status: number): string => `the response (HTTP ${status})`;
