import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';
import { IconButton } from '../button/button.tsx';
import { useAnnounce } from '../feedback/announcer.tsx';
import { writeClipboard } from './write-clipboard.ts';

export interface CopyButtonProps {
  /** The text, or a function for texts that are not on the page, such as tokens. */
  readonly text: string | (() => string | Promise<string>);
  /** The accessible name, which names the copied text: `Copy run name`. */
  readonly label?: string;
  readonly className?: string | undefined;
}

export function CopyButton({ text, label = 'Copy', className }: CopyButtonProps) {
  const [copied, setCopied] = useState(false);
  const announce = useAnnounce();
  // Shows the icon again after a while.
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    const done = await writeClipboard(typeof text === 'string' ? text : await text());
    setCopied(done);
    announce(done ? 'Copied' : 'The browser refused access to the clipboard');
  };
  return (
    <IconButton
      size="sm"
      label={copied ? 'Copied' : label}
      className={className ?? ''}
      onClick={copy}
    >
      {copied ? <Check size={14} /> : <Copy size={14} />}
    </IconButton>
  );
}
