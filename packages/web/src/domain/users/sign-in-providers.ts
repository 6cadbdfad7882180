/** The names of sign-in providers, as people know them. */
const TITLES: Readonly<Record<string, string>> = {
  entra: 'Microsoft Entra ID',
  github: 'GitHub',
  google: 'Google',
  okta: 'Okta',
  sso: 'single sign-on',
};

export function providerTitle(name: string): string {
  return TITLES[name] ?? name;
}
