/** Start-up scripts, which accounts store apart from machines. */
import { randomUUID } from 'node:crypto';
import type { CloudAccount } from '../../account.ts';
import { fieldsOf, textField, textList } from '../../fields.ts';
import type { CloudCall } from '../../personality.ts';
import { Refusal } from '../../refusal.ts';
import type { CloudAnswer } from '../../request.ts';
import { SCRIPTS } from './errors.ts';

export interface StoredScript {
  readonly id: string;
  readonly name: string;
  readonly script: string;
  /** In ISO 8601. */
  readonly created_at: string;
}

/** The default quota of a user. */
const MOST = 100;
const EMPTY: CloudAnswer = { status: 200, body: null };

const stored = new WeakMap<CloudAccount, StoredScript[]>();

export function scriptsOf(account: CloudAccount): StoredScript[] {
  const known = stored.get(account) ?? [];
  stored.set(account, known);
  return known;
}

/** The id of the new one. */
export function addScript({ account, body }: CloudCall): string {
  const fields = fieldsOf(body);
  const known = scriptsOf(account);
  if (known.length >= MOST) throw new Refusal('quota', 'no room', { what: SCRIPTS });
  const id = randomUUID();
  const created_at = new Date(account.clock.now / 1000).toISOString();
  const own = { name: textField(fields, 'name'), script: textField(fields, 'script') };
  known.push({ id, ...own, created_at });
  return id;
}

export function removeScript({ account, params }: CloudCall): CloudAnswer {
  removeOne(account, params.id ?? '');
  return EMPTY;
}

export function removeScripts({ account, body }: CloudCall): CloudAnswer {
  for (const id of textList(fieldsOf(body), 'scripts')) removeOne(account, id);
  return EMPTY;
}

function removeOne(account: CloudAccount, id: string): void {
  const known = scriptsOf(account);
  const at = known.findIndex((one) => one.id === id);
  if (at < 0) throw new Refusal('invalid', 'Invalid startup script id');
  known.splice(at, 1);
}
