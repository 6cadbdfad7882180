/**
 * Values that no request may contain, whatever the schema of its endpoint: control characters, for
 * example, would act on terminals, logs and the configurations of other programs.
 */

export interface UnfitPart {
  readonly path: readonly (string | number)[];
  /** Completes a sentence. */
  readonly why: string;
}

/** Keys whose texts may have any characters and length: scripts, private keys and other contents. */
const CONTENT: ReadonlySet<string> = new Set([
  'body',
  'chat_template',
  'commands',
  'config_yaml',
  'content',
  'creds',
  // The server's own answer, sent back for comparison; it is not stored.
  'current_resource',
  'data',
  'entrypoint',
  'env',
  'eos_token',
  'init',
  'key_content',
  'passphrase',
  'password',
  'private',
  'private_key',
]);

/** Keys of one-line texts that may contain tabs and end with a line break. */
const LINES: ReadonlySet<string> = new Set(['cron', 'oauth_token', 'public']);

/** Keys of texts whose own reader checks them and gives better errors: keys and certificates. */
const CHECKED: ReadonlySet<string> = new Set(['certificate', 'key', 'ssh_key_pub']);

/** The most findings in one answer. */
const MOST = 100;

/** Longer than any valid name, path, address or public key. */
const LONGEST = 8192;

/** Includes the line and paragraph separators of Unicode. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const CONTROL_BUT_TAB = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/;

type Kind = 'content' | 'line' | 'name';

/** The parts of a request's body or query that are refused. */
export function unfitParts(value: unknown): UnfitPart[] {
  const found: UnfitPart[] = [];
  look(value, 'name', [], found);
  return found;
}

/** `path` is a stack shared by all calls; findings copy it. */
function look(value: unknown, kind: Kind, path: (string | number)[], found: UnfitPart[]): void {
  if (found.length >= MOST) return;
  if (typeof value === 'string') note(textFault(value, kind), path, found);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    note('the number is too large', path, found);
  }
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      path.push(index);
      look(value[index], kind, path, found);
      path.pop();
    }
    return;
  }
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key];
    const isRoot = path.length === 0;
    path.push(key);
    note(keyFault(key), path, found);
    look(item, kindBelow(key, item, kind, isRoot), path, found);
    path.pop();
  }
}

function note(fault: string | null, path: readonly (string | number)[], found: UnfitPart[]): void {
  if (fault !== null && found.length < MOST) found.push({ path: [...path], why: fault });
}

/** At the root, `value` is the value of a secret; elsewhere it is an ordinary text. */
function kindBelow(key: string, item: unknown, around: Kind, isRoot: boolean): Kind {
  if (around === 'content' || CONTENT.has(key) || (isRoot && key === 'value')) return 'content';
  if (CHECKED.has(key) && typeof item === 'string') return 'content';
  return LINES.has(key) ? 'line' : 'name';
}

function keyFault(key: string): string | null {
  // JavaScript sets an object's prototype by this key.
  if (key === '__proto__') return 'the key __proto__ is not allowed';
  return textFault(key, 'name');
}

function textFault(text: string, kind: Kind): string | null {
  // PostgreSQL cannot store it.
  if (text.includes('\0')) return 'the character U+0000 is not allowed';
  if (!text.isWellFormed())
    return 'the text contains half of a surrogate pair, which is not a character';
  if (kind === 'content') return null;
  if (text.length > LONGEST) {
    return `the text has ${text.length} characters; at most ${LONGEST} are allowed here`;
  }
  const control =
    kind === 'line' ? CONTROL_BUT_TAB.exec(text.replace(/\r?\n$/, '')) : CONTROL.exec(text);
  if (control === null) return null;
  const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return `the control character U+${code} is not allowed here`;
}
