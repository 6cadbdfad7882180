/** Ending of a domain that all projects share: `apps.test` for `*.${{ run.project_name }}.apps.test`. */
export function fixedDomain(wildcard: string | null): string {
  const end = (wildcard ?? '').toLowerCase().split('}}').at(-1) ?? '';
  return end.replace(/^[*.]+/, '');
}

/** Whether a host name is the domain itself, or below it. Both in lower case. */
export function isWithinDomain(name: string, domain: string): boolean {
  return domain !== '' && (name === domain || name.endsWith(`.${domain}`));
}
