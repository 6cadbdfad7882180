/** Writes the role of GCP into its page, from the list of permissions that the adapter checks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { roleDocument } from '../packages/backends/src/gcp/permissions.ts';

const page = resolve(import.meta.dirname, '../docs/backends.md');
const [BEGIN, END] = ['```yaml\ntitle: dstack\n', '\n```'];

const text = readFileSync(page, 'utf8');
const from = text.indexOf(BEGIN);
if (from < 0) throw new Error(`${page} has no block that begins with the title of the role`);
const to = text.indexOf(END, from);
writeFileSync(page, `${text.slice(0, from)}\`\`\`yaml\n${roleDocument()}${text.slice(to)}`);
