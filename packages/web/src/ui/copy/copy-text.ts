import { toast } from '../toast/toaster.tsx';
import { writeClipboard } from './write-clipboard.ts';

/** Copies what a menu entry names: `The name`. */
export async function copyText(text: string, what: string): Promise<void> {
  if (await writeClipboard(text)) toast.done(`${what} was copied`);
  else {
    toast.failed('The browser refused access to the clipboard', `Copy it by hand: ${text}`);
  }
}
