/** Writes the policy of AWS into its page, from the list of rights that the adapter checks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { policyDocument } from '../packages/backends/src/aws/permissions.ts';

const page = resolve(import.meta.dirname, '../docs/backends.md');
const [BEGIN, END] = ['```json\n', '\n```'];

const text = readFileSync(page, 'utf8');
const from = text.indexOf(BEGIN) + BEGIN.length;
const to = text.indexOf(END, from);
writeFileSync(
  page,
  text.slice(0, from) + JSON.stringify(policyDocument(), null, 2) + text.slice(to),
);
