/** Keys of service accounts, and the access tokens that Google gives for requests signed with them. */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  verify,
} from 'node:crypto';
import { hexId } from '../../account.ts';
import { SECOND_US } from '../../clock.ts';
import type { CloudCall } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer, CloudRequest } from '../../request.ts';
import { PROJECT } from './catalog.ts';

export const TOKEN_PATH = '/token';
const AUDIENCE = 'https://oauth2.googleapis.com/token';
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const LIFETIME_S = 3600;
/** By how much the clock of a client may differ. */
const SKEW_S = 300;

let pem: string | null = null;

/** One key for all accounts of a process: to make one takes a moment. */
function privateKey(): string {
  pem ??= generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
  return pem;
}

/** The JSON file of a key. */
export function newServiceAccountKey(): string {
  const id = hexId();
  return JSON.stringify({
    ...{ type: 'service_account', project_id: PROJECT, private_key_id: id },
    private_key: privateKey(),
    client_email: `dstack-${id.slice(0, 8)}@${PROJECT}.iam.gserviceaccount.com`,
    token_uri: AUDIENCE,
  });
}

interface Known {
  readonly id: string;
  readonly email: string;
  readonly key: KeyObject;
}

const KNOWN = new Map<string, Known>();

function knownOf(apiKey: string): Known {
  const known = KNOWN.get(apiKey);
  if (known) return known;
  const fields = JSON.parse(apiKey) as Record<string, string>;
  const { private_key_id: id = '', client_email: email = '', private_key: text = '' } = fields;
  const made = { id, email, key: createPublicKey(text) };
  KNOWN.set(apiKey, made);
  return made;
}

/** The same for the same key, however often it is asked for. */
const tokenOf = (keyId: string): string =>
  `ya29.${createHash('sha256').update(keyId).digest('hex')}`;

/** The token service itself looks at what it is given. */
export function authenticates(request: CloudRequest, apiKey: string): boolean {
  const { path, headers } = request;
  if (path === TOKEN_PATH) return isSigned(request, apiKey);
  return headers.authorization === `Bearer ${tokenOf(knownOf(apiKey).id)}`;
}

function isSigned({ body }: CloudRequest, apiKey: string): boolean {
  const { grant_type: grant, assertion = '' } = (body ?? {}) as Record<string, string>;
  const [header = '', claims = '', signature = ''] = assertion.split('.');
  const { id, key, email } = knownOf(apiKey);
  const text = Buffer.from(`${header}.${claims}`);
  if (!verify('RSA-SHA256', text, key, Buffer.from(signature, 'base64url'))) return false;
  const { alg, kid } = decoded(header);
  const { iss, aud, exp, iat } = decoded(claims);
  const isLegal =
    grant === GRANT && alg === 'RS256' && kid === id && iss === email && aud === AUDIENCE;
  const lifetime = Number(exp) - Number(iat);
  return isLegal && lifetime > 0 && lifetime <= LIFETIME_S;
}

const decoded = (part: string): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as Readonly<Record<string, unknown>>;

export function grantToken({ account, body }: CloudCall): CloudAnswer {
  const { assertion = '' } = (body ?? {}) as Record<string, string>;
  const [header = '', claims = ''] = assertion.split('.');
  const { iat, exp } = decoded(claims);
  const now = account.clock.now / SECOND_US;
  if (Number(iat) - SKEW_S > now || Number(exp) + SKEW_S < now) {
    throw new Refusal('credentials', 'Invalid JWT: Token must be in a reasonable timeframe.');
  }
  const access_token = tokenOf(String(decoded(header).kid));
  return { status: 200, body: { access_token, expires_in: LIFETIME_S - 1, token_type: 'Bearer' } };
}
