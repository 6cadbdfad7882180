import { Pencil } from 'lucide-react';
import { type KeyboardEvent, useRef, useState } from 'react';
import { TextInput } from '../../ui/field/field.tsx';
import styles from './priority-editor.module.css';
import { useQueueMoves } from './use-queue-moves.ts';

const MOST = 100;

interface PriorityEditorProps {
  readonly project: string;
  readonly run: string;
  readonly priority: number;
}

/** The priority of a run, which Enter changes in place; Escape, or leaving the field, keeps it. */
export function PriorityEditor({ project, run, priority }: PriorityEditorProps) {
  const { setPriority } = useQueueMoves();
  const [text, setText] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = (hasFocus: boolean) => {
    setText(null);
    if (hasFocus) requestAnimationFrame(() => button.current?.focus());
  };
  if (text === null) {
    return (
      <button
        ref={button}
        type="button"
        className={styles.value}
        aria-label={`Priority of ${run}: ${priority}. Change`}
        title="Change the priority"
        onClick={() => setText(String(priority))}
      >
        {priority}
        <Pencil size={12} aria-hidden="true" className={styles.pencil} />
      </button>
    );
  }
  const wanted = readPriority(text);
  const save = async () => {
    if (wanted === null || busy) return;
    if (wanted === priority) return close(true);
    setBusy(true);
    const isDone = await setPriority({ project, name: run }, wanted);
    setBusy(false);
    if (isDone) close(true);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    // Keys of the row do something else.
    event.stopPropagation();
    if (event.key === 'Escape') close(true);
    if (event.key !== 'Enter') return;
    event.preventDefault();
    void save();
  };
  return (
    <TextInput
      autoFocus
      inputMode="numeric"
      className={styles.input}
      aria-label={`Priority of ${run}, 0 to ${MOST}`}
      aria-invalid={wanted === null || undefined}
      aria-busy={busy || undefined}
      title={`0 to ${MOST}. Enter saves, Escape keeps ${priority}`}
      value={text}
      onFocus={(event) => event.target.select()}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={onKeyDown}
      onBlur={() => {
        if (!busy) close(false);
      }}
    />
  );
}

/** Null: it is none. */
export function readPriority(text: string): number | null {
  const value = Number(text.trim());
  return text.trim() !== '' && Number.isInteger(value) && value >= 0 && value <= MOST
    ? value
    : null;
}
