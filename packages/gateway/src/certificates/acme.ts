import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import type { AcmeSettings } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { crypto as acmeCrypto, axios, Client } from 'acme-client';
import { gatewayVersion } from '../version.ts';
import { explainAcmeError } from './acme-advice.ts';
import type { Challenges, Proof } from './challenges.ts';

export interface AcmeOptions {
  readonly settings: AcmeSettings;
  /** Folder of the key of the account. */
  readonly stateDir: string;
  readonly challenges: Challenges;
}

export interface IssuedCertificate {
  /** The certificate and its chain. */
  readonly certificate: string;
  readonly key: string;
}

/** A nonce that the authority refuses is not the end of a request, nor is an account that it knows. */
const TRIES = 3;
const PROBE_MS = 10_000;
/** Every request must have one (RFC 8555 §6.1); strict authorities refuse others. */
const USER_AGENT = { 'User-Agent': `dstack-gateway/${gatewayVersion()}` };

/**
 * Requests a certificate for one name, or `*.` and a name. Throws with the cause for people. `key`: of the certificate
 * that this one renews; null makes a new one.
 */
export async function requestCertificate(
  name: string,
  { settings, stateDir, challenges }: AcmeOptions,
  key: string | null,
): Promise<IssuedCertificate> {
  // The library hides why a directory cannot be reached behind minutes of repetitions.
  await probe(name, settings);
  const ca = settings.ca ?? undefined;
  Object.assign(axios.defaults.headers.common, USER_AGENT);
  axios.defaults.httpsAgent = new Agent({ ...(ca !== undefined && { ca }) });
  const account = await accountOf(stateDir, settings);
  const client = new Client({
    directoryUrl: settings.directory,
    accountKey: account.key,
    // Some authorities refuse to be asked for an account that exists.
    ...(account.url !== null && { accountUrl: account.url }),
    ...(settings.eab_kid !== null &&
      settings.eab_hmac_key !== null && {
        externalAccountBinding: { kid: settings.eab_kid, hmacKey: settings.eab_hmac_key },
      }),
  });
  const [own, csr] = await acmeCrypto.createCsr(
    { commonName: name, altNames: [name] },
    key ?? (await acmeCrypto.createPrivateEcdsaKey('P-256')),
  );
  const unproven: unknown[] = [];
  for (let attempt = 1; ; attempt++) {
    try {
      const certificate = await client.auto({
        csr,
        termsOfServiceAgreed: true,
        // Its own check uses the system's DNS and port 80.
        skipChallengeVerification: true,
        challengePriority: [challenges.type],
        challengeCreateFn: async (...of) => {
          try {
            await challenges.show(proofOf(challenges, ...of));
          } catch (error) {
            unproven.push(error);
            throw error;
          }
        },
        challengeRemoveFn: (...of) => challenges.hide(proofOf(challenges, ...of)),
      });
      return { certificate, key: own.toString() };
    } catch (error) {
      // An error that is not from the authority needs no advice about it.
      if (unproven.length > 0) throw unproven[0];
      const isForeseen = /nonce|empty update/i.test(errorMessage(error));
      if (attempt < TRIES && isForeseen) continue;
      throw new Error(explainAcmeError(name, errorMessage(error), challenges.type));
    } finally {
      keepUrl(client, account);
    }
  }
}

/** An authority may offer another challenge only. */
function proofOf(
  { type }: Challenges,
  authorization: { readonly identifier: { readonly value: string } },
  challenge: { readonly type: string; readonly token: string },
  content: string,
): Proof {
  if (challenge.type === type) {
    return { name: authorization.identifier.value, token: challenge.token, content };
  }
  throw new Error(
    `The authority offers ${challenge.type} and not ${type}: set DSTACK_ACME_CHALLENGE of the server`,
  );
}

/**
 * Also after a failure: an account that exists must be used by its URL, since strict authorities refuse
 * to create it again ("empty update").
 */
function keepUrl(client: Client, { urlPath }: { readonly urlPath: string }): void {
  try {
    writeFileSync(urlPath, client.getAccountUrl(), { mode: 0o600 });
  } catch {
    // The account does not exist yet.
  }
}

/** The account at an authority: its key, and its URL once it is known. */
async function accountOf(stateDir: string, { directory, account_key: shared }: AcmeSettings) {
  const digest = createHash('sha256').update(directory);
  if (shared) digest.update(shared);
  const name = digest.digest('hex').slice(0, 16);
  const keyPath = join(stateDir, `acme-${name}.key`);
  const urlPath = join(stateDir, `acme-${name}.url`);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const url = existsSync(urlPath) ? readFileSync(urlPath, 'utf8') : null;
  if (shared) return { key: shared, url, urlPath };
  if (!existsSync(keyPath)) {
    writeFileSync(keyPath, await acmeCrypto.createPrivateEcdsaKey('P-256'), { mode: 0o600 });
  }
  return { key: readFileSync(keyPath), url, urlPath };
}

function probe(name: string, { directory, ca }: AcmeSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (text: string) =>
      reject(
        new Error(
          explainAcmeError(name, `The certificate authority ${directory} cannot be used: ${text}`),
        ),
      );
    const request = get(
      directory,
      { ...(ca !== null && { ca }), timeout: PROBE_MS, agent: false, headers: USER_AGENT },
      (response) => {
        response.resume();
        if (response.statusCode === 200) resolve();
        else failed(`it answers ${response.statusCode}`);
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer in 10 seconds')));
    request.on('error', (error) => failed(errorMessage(error)));
  });
}
