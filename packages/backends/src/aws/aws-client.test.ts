import { describe, expect, it } from 'vitest';
import {
  BackendError,
  BusyError,
  CredentialsError,
  NoAnswerError,
  NoCapacityError,
  QuotaError,
  TurnError,
} from '../base/errors.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import { type AwsCall, AwsClient, type AwsCredentials } from './aws-client.ts';
import { awsEndpoints } from './endpoints.ts';
import { formOf } from './form.ts';
import { awsCode } from './refusals.ts';

const NOW = Date.parse('2026-12-01T08:00:00Z');
const KEYS: AwsCredentials = { accessKey: 'AKIA', secretKey: 'secret', sessionToken: null };
const LOOK: AwsCall = {
  ...{ service: 'ec2', region: 'eu-west-1', action: 'DescribeVpcs', kind: 'look' },
};
const ORDER: AwsCall = { ...LOOK, action: 'RunInstances', kind: 'create' };
const EMPTY = '<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>';

interface Sent {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

/** Answers one call after another; the last answer again and again. */
function clientWith(
  answers: readonly (readonly [number, string, string?] | Error)[],
  keys: AwsCredentials | (() => Promise<AwsCredentials>) = KEYS,
) {
  const sent: Sent[] = [];
  const refused: (number | null)[] = [];
  const client = new AwsClient({
    credentials: typeof keys === 'function' ? keys : async () => keys,
    endpoints: awsEndpoints(null),
    limiter: () => ({
      turn: async () => {},
      refused: (ms) => void refused.push(ms),
      answered: () => {},
    }),
    now: () => NOW,
    fetch: async (url, init) => {
      const answer = answers[Math.min(sent.length, answers.length - 1)];
      sent.push({
        ...{ url: String(url), headers: new Headers(init?.headers), body: String(init?.body) },
      });
      if (answer === undefined || answer instanceof Error) throw answer;
      const [status, text, date = new Date(NOW).toUTCString()] = answer;
      return new Response(text, { status, headers: { date } });
    },
  });
  return { client, sent, refused };
}

const refusal = (code: string, text = 'words of AWS') =>
  `<?xml version="1.0"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${text}</Message></Error></Errors><RequestID>r</RequestID></Response>`;

const errorOf = async (call: AwsCall, ...answers: Parameters<typeof clientWith>[0]) =>
  (await clientWith(answers)
    .client.xml(call)
    .catch((error: unknown) => error)) as Error;

describe('calls of AWS', () => {
  it('are signed forms, with the hash of their body', async () => {
    const { client, sent } = clientWith([[200, EMPTY]]);
    const Filter = [{ Name: 'tag:Name', Value: ['a b', 'ü*'] }];
    await client.xml({ ...LOOK, parameters: { Filter, NextToken: null } });
    const [{ url, headers, body } = { url: '', headers: new Headers(), body: '' }] = sent;
    expect(url).toBe('https://ec2.eu-west-1.amazonaws.com/');
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      ...{ Action: 'DescribeVpcs', Version: '2016-11-15', 'Filter.1.Name': 'tag:Name' },
      ...{ 'Filter.1.Value.1': 'a b', 'Filter.1.Value.2': 'ü*' },
    });
    expect(headers.get('x-amz-content-sha256')).toMatch(/^[0-9a-f]{64}$/);
    expect(headers.get('x-amz-date')).toBe('20261201T080000Z');
    expect(headers.get('authorization')).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIA\/20261201\/eu-west-1\/ec2\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
    );
  });

  it('go to one place for IAM, and to those of other partitions', () => {
    const url = (service: 'ec2' | 'iam', region: string) =>
      awsEndpoints(null).of(service, region).url;
    expect(url('iam', 'eu-west-1')).toBe('https://iam.amazonaws.com/');
    expect(url('ec2', 'cn-north-1')).toBe('https://ec2.cn-north-1.amazonaws.com.cn/');
    expect(awsEndpoints('http://127.0.0.1:1').of('iam', 'eu-west-1')).toMatchObject({
      ...{ url: 'http://127.0.0.1:1/', scope: 'us-east-1' },
    });
  });

  it('number the items of lists and leave out what is null', () => {
    const form = formOf({ A: [{ B: [1, true] }, null], C: null, D: undefined, E: { F: 'x' } });
    expect(Object.fromEntries(form)).toEqual({ 'A.1.B.1': '1', 'A.1.B.2': 'true', 'E.F': 'x' });
  });

  it.each([
    ['InsufficientInstanceCapacity', 500, NoCapacityError],
    ['VcpuLimitExceeded', 400, QuotaError],
    ['AuthFailure', 401, CredentialsError],
    ['RequestLimitExceeded', 503, BusyError],
    ['InvalidInstanceID.NotFound', 400, MissingThingError],
    ['InternalError', 500, NoAnswerError],
    ['Unavailable', 503, NoAnswerError],
    ['InvalidParameterValue', 400, BackendError],
  ])('that are refused with %s are errors of the port', async (code, status, type) => {
    const error = await errorOf(ORDER, [status, refusal(code)]);
    expect(error.constructor).toBe(type);
    expect(error.message).toBe('AWS: words of AWS');
    expect(awsCode(error)).toBe(code);
  });

  it('name a missing right in the words of AWS', async () => {
    const error = await errorOf(LOOK, [403, refusal('UnauthorizedOperation')]);
    expect(error.message).toBe('AWS: words of AWS (the credentials do not allow it)');
  });

  it('understand errors of IAM and of services in JSON', async () => {
    const iam =
      '<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no p</Message></Error></ErrorResponse>';
    expect(awsCode(await errorOf(LOOK, [404, iam]))).toBe('NoSuchEntity');
    const json = JSON.stringify({ __type: 'com.amazon#ThrottlingException', message: 'slow' });
    const error = await errorOf(ORDER, [400, json]);
    expect([error.constructor, awsCode(error)]).toEqual([BusyError, 'ThrottlingException']);
  });

  it('that only look are made once more when they were too many, and orders are not', async () => {
    const limit = [503, refusal('RequestLimitExceeded')] as const;
    const look = clientWith([limit, [200, EMPTY]]);
    await look.client.xml(LOOK);
    expect([look.sent.length, look.refused]).toEqual([2, [null]]);
    const order = clientWith([limit, [200, EMPTY]]);
    await expect(order.client.xml(ORDER)).rejects.toThrow(BusyError);
    expect(order.sent).toHaveLength(1);
  });

  it('without an answer that can be understood may have been carried out', async () => {
    const cut = new TypeError('fetch failed', { cause: new Error('the socket was closed') });
    const proxys = [404, 403, 502].map((status) => [status, '<html>from a proxy</html>']);
    for (const answer of [cut, ...proxys, [200, '<RunInst'], [200, EMPTY]]) {
      const error = await errorOf(ORDER, answer as Error);
      expect(error).toBeInstanceOf(NoAnswerError);
    }
    const error = await errorOf(ORDER, cut);
    expect(error.message).toBe(
      'AWS: no answer to RunInstances in eu-west-1: the socket was closed',
    );
  });

  it.each([
    ['RequestTimeTooSkewed', 'too large', '2026-12-01T08:12:00Z', '12 minutes behind'],
    ['AuthFailure', 'not valid', '2026-12-01T07:40:00Z', '20 minutes ahead of'],
    ['SignatureDoesNotMatch', 'Signature expired: …', '2026-12-01T09:00:00Z', '60 minutes behind'],
  ])('refused with %s because of the clock name the time of AWS', async (code, text, at, side) => {
    const error = await errorOf(LOOK, [403, refusal(code, text), new Date(at).toUTCString()]);
    expect(error).toBeInstanceOf(BusyError);
    expect(error).not.toBeInstanceOf(CredentialsError);
    const date = new Date(at).toISOString();
    expect(error.message).toBe(
      `AWS: ${text} (the clock of the server is ${side} that of AWS, where it is ${date}: set it)`,
    );
  });

  it('with a key that no header can hold do not show it', async () => {
    const broken = { ...KEYS, accessKey: 'AKIA\nSECRET' };
    const error = await clientWith([[200, EMPTY]], broken)
      .client.xml(LOOK)
      .catch((failure: Error) => failure);
    expect(error).toBeInstanceOf(CredentialsError);
    expect(String(error)).not.toContain('SECRET');
  });

  it('are not sent if their caller gives up while the identity of the server is asked for', async () => {
    const caller = new AbortController();
    const { client, sent } = clientWith([[200, EMPTY]], async () => {
      caller.abort();
      return KEYS;
    });
    const error = await client.xml({ ...ORDER, signal: caller.signal }).catch((one) => one);
    expect(error).toBeInstanceOf(TurnError);
    expect(sent).toEqual([]);
  });

  it('are rehearsed without being made', async () => {
    const call = { region: 'eu-west-1', action: 'RunInstances' };
    const allowed = clientWith([[412, refusal('DryRunOperation')]]);
    await allowed.client.rehearse(call);
    expect(allowed.sent[0]?.body).toContain('DryRun=true');
    const denied = clientWith([[403, refusal('UnauthorizedOperation')]]);
    await expect(denied.client.rehearse(call)).rejects.toThrow('do not allow it');
  });
});
