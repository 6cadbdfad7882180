/** Usage of requests to models, which is read from their answers and stored before the client has the end. */
import type { GatewayModelUse } from '@dstack/contract/agent';
import { usageSum } from '@dstack/contract/usage';
import {
  answerMeter,
  streamMeter,
  TopLevelScan,
  type UsageMeter,
  type UseKind,
} from '@dstack/proxy';

/** Paths whose streams report their usage only on request. */
const WITH_STREAM_OPTIONS = ['chat/completions', 'completions'];

export interface MeteredBody {
  readonly body: Buffer;
  /** The client has not asked for the usage of its stream; the gateway has. */
  readonly hidesUsage: boolean;
}

/** Asks for the usage of a stream, unless the client has set the options. */
export function withUsage(path: string, body: Buffer): MeteredBody {
  const scan = new TopLevelScan(['stream', 'stream_options']);
  scan.push(body);
  const isOpen = scan.value('stream') === true && scan.text('stream_options') === null;
  if (!isOpen || scan.end === null || !WITH_STREAM_OPTIONS.includes(path)) {
    return { body, hidesUsage: false };
  }
  const options = Buffer.from(',"stream_options":{"include_usage":true}');
  const parts = [body.subarray(0, scan.end), options, body.subarray(scan.end)];
  return { body: Buffer.concat(parts), hidesUsage: true };
}

export function meterOf(contentType: unknown, hidesUsage: boolean): UsageMeter {
  return /^text\/event-stream/i.test(String(contentType)) ? streamMeter(hidesUsage) : answerMeter();
}

const DAY_MS = 86_400_000;

export function useOf(
  of: Pick<GatewayModelUse, 'project' | 'user' | 'model'>,
  { tokens }: Pick<UsageMeter, 'tokens'>,
  { isAborted, now }: { readonly isAborted: boolean; readonly now: number },
): GatewayModelUse {
  return {
    ...of,
    day: Math.floor(now / DAY_MS),
    requests: 1,
    aborted: isAborted ? 1 : 0,
    estimated: tokens.isEstimated ? 1 : 0,
    prompt_tokens: tokens.promptTokens,
    completion_tokens: tokens.completionTokens,
  };
}

/** Uses of one model on one day by one user. */
export const GATEWAY_USES: UseKind<GatewayModelUse> = {
  keyOf: ({ project, user, model, day }) => JSON.stringify([project, user, model, day]),
  sum: (one, other) => usageSum(one, other),
};
