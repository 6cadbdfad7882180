/**
 * Rules for names that users choose (dstack 0.22.5); a broken rule is a 400 that contains the rule.
 */
import { ruleError } from '@dstack/contract/api';

interface NameRule {
  readonly what: string;
  readonly pattern: RegExp;
  readonly allowed: string;
}

/** The rule for the names of exports and services. */
const RESOURCE = {
  pattern: /^[a-z][a-z0-9-]{1,40}$/,
  allowed: '2 to 41 lower-case letters, digits and -, a letter first',
};

const RULES = {
  user: {
    what: 'User name',
    pattern: /^[a-zA-Z0-9-_]{1,60}$/,
    allowed: '1 to 60 letters, digits, - and _',
  },
  project: {
    what: 'Project name',
    pattern: /^[a-zA-Z0-9-_]{1,50}$/,
    allowed: '1 to 50 letters, digits, - and _',
  },
  secret: {
    what: 'Secret name',
    pattern: /^[A-Za-z0-9-_]{1,200}$/,
    allowed: '1 to 200 letters, digits, - and _',
  },
  export: { what: 'Export name', ...RESOURCE },
  service: { what: 'Service name', ...RESOURCE },
} as const satisfies Record<string, NameRule>;

export function checkName(kind: keyof typeof RULES, name: string): void {
  const rule = RULES[kind];
  if (rule.pattern.test(name)) return;
  throw ruleError(`${rule.what} '${name}' is not valid: it may have ${rule.allowed}`);
}
