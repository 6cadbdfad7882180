/** Access tokens of Verda, which show when they expire, and whether the account has issued them. */
import { createHmac } from 'node:crypto';
import { SECOND_US } from '../../clock.ts';
import { fieldsOf, textField } from '../../fields.ts';
import type { CloudCall, CloudRoute } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';

export const TOKEN_PATH = '/v1/oauth2/token';
const LIFETIME_S = 3600;

/** Keys of accounts, by the ids of their clients. */
const keys = new Map<string, string>();

/** `<client id>:<client secret>`. */
export function knownClient(apiKey: string): string {
  keys.set(apiKey.split(':')[0] ?? '', apiKey);
  return apiKey;
}

const signed = (apiKey: string, claims: string): string =>
  `${claims}.${createHmac('sha256', apiKey).update(claims).digest('base64url')}`;

/** The token service itself looks at what it is given. */
export function authenticates({ path, headers }: CloudRequest, apiKey: string): boolean {
  const [, token = ''] = /^Bearer (.+)$/.exec(String(headers.authorization)) ?? [];
  return path === TOKEN_PATH || token === signed(apiKey, token.split('.')[0] ?? '');
}

export function grantToken({ account, body }: CloudCall): CloudAnswer {
  const fields = fieldsOf(body);
  if (textField(fields, 'grant_type') !== 'client_credentials') {
    throw new Refusal('invalid', 'unsupported grant type');
  }
  const id = textField(fields, 'client_id');
  const key = keys.get(id);
  if (key === undefined || key !== `${id}:${textField(fields, 'client_secret')}`) {
    throw new Refusal('credentials', 'the client is not known');
  }
  const claims = Buffer.from(String(account.clock.now)).toString('base64url');
  const access_token = signed(key, claims);
  const grant = { token_type: 'Bearer', expires_in: LIFETIME_S, scope: 'cloud-api-v1' };
  return { status: 200, body: { access_token, refresh_token: `r.${access_token}`, ...grant } };
}

/** A route whose token must not have expired. */
export function withToken(answer: CloudRoute['answer']): CloudRoute['answer'] {
  return (call) => {
    const [claims = ''] = String(call.headers.authorization).replace('Bearer ', '').split('.');
    const issuedAt = Number(Buffer.from(claims, 'base64url').toString());
    const { now } = call.account.clock;
    if (now - issuedAt < LIFETIME_S * SECOND_US) return answer(call);
    throw new Refusal('credentials', 'the token has expired');
  };
}
