/** Advice for people about errors of a certificate authority. */
import type { AcmeChallenge } from '@dstack/contract/agent';

interface Advice {
  readonly when: RegExp;
  readonly next: (name: string, challenge: AcmeChallenge) => string;
}

/** The first that fits counts. Types of errors are those of RFC 8555. */
const ADVICE: readonly Advice[] = [
  {
    when: /externalAccount(Required|Binding)|external account/i,
    next: () =>
      'Set DSTACK_ACME_EAB_KID and DSTACK_ACME_EAB_HMAC_KEY of the server to what the authority has given you',
  },
  {
    when: /rateLimited|too many (certificates|failed|new orders|requests)|rate ?limit/i,
    next: (name) =>
      `Wait for the limit to pass, or set one certificate for all names: *.${parentOf(name)}`,
  },
  {
    when: /acme:error:caa|CAA record/i,
    next: (name) => `Add the authority to the CAA records of ${parentOf(name)}, or delete them`,
  },
  {
    when: /rejectedIdentifier|forbidden by policy|blocked|not issue for/i,
    next: () =>
      'Use another domain, or set a certificate of your own by `dstack gateway certificate set`',
  },
  {
    when: /acme:error:dns|NXDOMAIN|SERVFAIL|no (valid )?IP addresses/i,
    next: (name) =>
      `The authority must find ${name} in DNS: its records may be new; this is repeated`,
  },
  {
    when: /cannot be used: (connect |getaddrinfo |no answer|socket hang up)/,
    next: () =>
      'Check DSTACK_ACME_SERVER of the server, and that the host of the gateway can connect there',
  },
  {
    when: /acme:error:connection|timeout during connect|connection refused|no route|unreachable|ECONNREFUSED/i,
    next: (name, challenge) =>
      `Port ${challenge === 'tls-alpn-01' ? 443 : 80} of every address that DNS has for ${name} (A and AAAA) must lead to the gateway from the internet`,
  },
  {
    when: /acme:error:unauthorized|invalid response|non-200 status|key authorization/i,
    next: (name) =>
      `Another web server has answered for ${name}: every address that DNS has for it (A and AAAA) must lead to the gateway`,
  },
  {
    when: /self.signed|unable to (get|verify) (local issuer|issuer|the first|leaf)/i,
    next: () => 'Set DSTACK_ACME_CA_FILE of the server to the root certificate of the authority',
  },
];

const MAX_TEXT = 500;

/** One line: the authority's own error, and the next step if there is one. */
export function explainAcmeError(
  name: string,
  error: string,
  challenge: AcmeChallenge = 'http-01',
): string {
  const said = detailsOf(error).replaceAll(/\s+/g, ' ').trim().slice(0, MAX_TEXT);
  const advice = ADVICE.find(({ when }) => when.test(error));
  return advice ? `${said.replace(/\.$/, '')}. ${advice.next(name, challenge)}` : said;
}

/** A failed authorization arrives as a JSON object whose challenges have the errors. */
function detailsOf(error: string): string {
  if (!error.startsWith('{')) return error;
  try {
    const { challenges = [] } = JSON.parse(error) as {
      readonly challenges?: readonly { readonly error?: { readonly detail?: string } }[];
    };
    const details = challenges.flatMap(({ error: one }) => one?.detail ?? []);
    return details.length > 0 ? details.join('; ') : error;
  } catch {
    return error;
  }
}

function parentOf(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}
