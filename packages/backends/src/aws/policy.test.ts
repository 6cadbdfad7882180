import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { policyDocument } from './permissions.ts';

const PAGE = resolve(import.meta.dirname, '../../../../docs/backends.md');

/** `node scripts/aws-policy.ts` writes it. */
it('the policy in the documentation has the rights that the check tries', () => {
  expect(readFileSync(PAGE, 'utf8')).toContain(
    `\`\`\`json\n${JSON.stringify(policyDocument(), null, 2)}\n\`\`\``,
  );
});
