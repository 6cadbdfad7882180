/** Backend configurations as YAML text. */
import { readForeignYaml } from '@dstack/contract';
import { ruleError, unfitParts, validationDetails } from '@dstack/contract/api';
import { BackendConfigWithCreds } from '@dstack/contract/wire';
import { Document, isPair, isScalar, visit } from 'yaml';

/** Throws `ApiError`. Files are not read: their contents must be in the text. */
export function parseBackendYaml(text: string): BackendConfigWithCreds {
  const document = readForeignYaml(text);
  if (!document.ok) throw ruleError(`Error parsing YAML: ${document.error}`);
  const input = document.value;
  const unfit = unfitParts(input).map(({ path, why }) => `${path.join('.')}: ${why}`);
  if (unfit.length > 0) throw ruleError(unfit.join('\n'));
  const result = BackendConfigWithCreds.safeParse(input);
  if (result.success) return result.data;
  const findings = validationDetails(result.error, input).map(({ loc, msg }) => {
    const place = loc.slice(1).join('.');
    return place === '' ? msg : `${place}: ${msg}`;
  });
  throw ruleError(findings.join('\n'));
}

/** Keys in the order of the model, without empty ones; short lists on one line. */
export function formatBackendYaml(config: BackendConfigWithCreds): string {
  const document = new Document(config);
  visit(document, {
    Pair: (_key, pair) => (isPair(pair) && isNull(pair.value) ? visit.REMOVE : undefined),
    Seq: (_key, list) => {
      if (list.items.every(isScalar)) list.flow = true;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function isNull(value: unknown): boolean {
  return value === null || (isScalar(value) && value.value === null);
}
