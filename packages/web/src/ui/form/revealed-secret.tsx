import { KeyRound } from 'lucide-react';
import { Button } from '../button/button.tsx';
import { CommandBlock } from '../copy/command.tsx';
import { Dialog } from '../dialog/dialog.tsx';
import { Banner } from '../feedback/banner.tsx';

export interface RevealedSecretProps {
  /** Null: the dialog is closed. */
  readonly secret: string | null;
  readonly title: string;
  /** The purpose of the token, and how it is used. */
  readonly children?: React.ReactNode;
  readonly onClose: () => void;
}

/** Shows a token after it was created; it cannot be shown again. */
export function RevealedSecret({ secret, title, children, onClose }: RevealedSecretProps) {
  return (
    <Dialog
      open={secret !== null}
      onClose={onClose}
      title={title}
      actions={
        <Button variant="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <Banner tone="warning" icon={KeyRound}>
        Copy it now: it is not shown again.
      </Banner>
      <CommandBlock text={secret ?? ''} label="Copy the token" />
      {children}
    </Dialog>
  );
}
