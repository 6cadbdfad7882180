import type { Id } from '@dstack/core';
import {
  CHANGE_KINDS,
  type ChangeKind,
  type ProjectPart,
  type RecordChange,
  type UserPart,
} from './types.ts';

export function recordChange(
  kind: Exclude<ChangeKind, 'project' | 'user'>,
  id: Id,
  version: number | null = null,
): RecordChange {
  return { kind, id, version, part: null };
}

export function projectChange(id: Id, part: ProjectPart): RecordChange {
  return { kind: 'project', id, version: null, part };
}

export function userChange(id: Id, part: UserPart): RecordChange {
  return { kind: 'user', id, version: null, part };
}

/** PostgreSQL accepts 8000 bytes in a notification. */
const LONGEST = 7000;

/** Texts of bounded length for notifications, without repetitions. */
export function encodeChanges(changes: readonly RecordChange[]): string[] {
  const texts = new Set(changes.map(encode));
  const payloads: string[] = [];
  let payload = '';
  for (const text of texts) {
    if (payload !== '' && payload.length + text.length + 1 > LONGEST) {
      payloads.push(payload);
      payload = '';
    }
    payload += payload === '' ? text : `,${text}`;
  }
  if (payload !== '') payloads.push(payload);
  return payloads;
}

/** Changes of a kind that this version does not know are dropped: it shows no such records. */
export function decodeChanges(payload: string): RecordChange[] {
  return payload.split(',').flatMap((text) => {
    const [kind, id = '', version = '', part = ''] = text.split('/');
    if (!isKnown(kind) || id === '') return [];
    return [
      {
        kind,
        id,
        version: version === '' ? null : Number(version),
        part: part === '' ? null : (part as ProjectPart),
      },
    ];
  });
}

function encode({ kind, id, version, part }: RecordChange): string {
  return `${kind}/${id}/${version ?? ''}/${part ?? ''}`;
}

function isKnown(kind: string | undefined): kind is ChangeKind {
  return (CHANGE_KINDS as readonly (string | undefined)[]).includes(kind);
}
