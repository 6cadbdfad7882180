/** The errors of sign-ins, as people read them. */
import { accessDenied, ruleError } from '@dstack/contract/api';
import { ProviderError, type SignInProvider } from '../../oidc/sign-in-providers.ts';

/** Why a state proves nothing. */
export type StateFault =
  | 'invalid'
  | 'expired'
  | 'other_browser'
  | 'other_program'
  | 'other_address';

/** `code`: it was used, has expired, or belongs to another sign-in. */
export function stateError(fault: StateFault | 'used' | 'code') {
  const texts = {
    invalid: 'This sign-in was not begun at this server. Begin again',
    expired:
      'This sign-in took more than 10 minutes, or 5 with a client that sends no challenge. Begin again',
    used: 'This sign-in has been used before. Begin again',
    code: 'The code of this sign-in was used before, is older than 5 minutes, or belongs to another sign-in. Begin again',
    other_browser:
      'This sign-in was begun in another browser, or at another address of this server. Begin again in this browser',
    other_program: 'Another program has begun this sign-in. Begin again',
    other_address:
      'This sign-in was begun at another address of the network. Begin again, or update the command line, which then proves by a challenge that it has begun',
  };
  return ruleError(texts[fault]);
}

export function unprovenClient() {
  return accessDenied(
    'This server accepts only clients that prove that they have begun a sign-in (DSTACK_OIDC_REQUIRE_CHALLENGE). Update the command line, or log in with a token: dstack login --with-token',
  );
}

const TITLES: Readonly<Record<string, string>> = {
  entra: 'Microsoft Entra ID',
  google: 'Google',
  okta: 'Okta',
  sso: 'The provider',
};

export function titleOf({ name }: SignInProvider): string {
  return TITLES[name] ?? name;
}

/** Reports what a provider did not do. */
export async function attempt<T>(provider: SignInProvider, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const title = titleOf(provider);
    if (error.kind === 'unreachable') {
      throw ruleError(
        `${title} does not answer this server: ${error.message}. Try again in a moment, or sign in with a token`,
      );
    }
    throw ruleError(`${title} did not confirm the sign-in: ${error.message}. Begin again`);
  }
}
