import type { EditConflict } from '../../domain/launch/edit-conflict.ts';
import { Button } from '../../ui/button/button.tsx';
import { TextDiff } from '../../ui/diff/text-diff.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import styles from './launch.module.css';

interface ConflictPanelProps {
  readonly conflict: EditConflict;
  /** Replaces the text by the configuration that the server has. */
  readonly onTakeTheirs: (text: string) => void;
}

/** The changes of another user meanwhile, and how the reader's text differs from them. */
export function ConflictPanel({ conflict, onTakeTheirs }: ConflictPanelProps) {
  const { name, before, theirs, mine } = conflict;
  return (
    <Panel
      title={`${name} was changed meanwhile`}
      actions={
        <Button size="sm" onClick={() => onTakeTheirs(theirs)}>
          Edit theirs instead
        </Button>
      }
    >
      <div className={styles.effect}>
        <p role="alert">
          {before === ''
            ? 'Another user submitted a run of this name.'
            : 'Another user changed the run after this plan was made.'}{' '}
          Nothing was submitted, and your text is kept. Submitting again replaces what they did.
        </p>
        {before === '' ? null : (
          <>
            <h3 className={styles.notice}>What they changed</h3>
            <TextDiff label={`Changes of ${name} by another user`} before={before} after={theirs} />
          </>
        )}
        <h3 className={styles.notice}>What your text would change</h3>
        <TextDiff label={`Your changes of ${name}`} before={theirs} after={mine} />
      </div>
    </Panel>
  );
}
