import { Download } from 'lucide-react';
import { useState } from 'react';
import { type LogTarget, wholeLog } from '../../data/logs/log-stream.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { bytes } from '../../domain/format/quantities.ts';
import { IconButton } from '../../ui/button/button.tsx';
import { saveFile } from '../../ui/copy/save-file.ts';
import { errorText } from '../../ui/feedback/error-text.ts';
import { toast } from '../../ui/toast/toaster.tsx';

interface LogDownloadProps {
  readonly target: LogTarget;
  readonly jobName: string;
  /** The length of the output that there is now. */
  readonly end: number;
  readonly timestamps: boolean;
}

/** Saves all output of the job. */
export function LogDownload({ target, jobName, end, timestamps }: LogDownloadProps) {
  const client = useClient();
  const [progress, setProgress] = useState<number | null>(null);
  const download = async () => {
    setProgress(0);
    try {
      saveFile(
        await wholeLog(client, target, { end, timestamps, onProgress: setProgress }),
        `${jobName}.log`,
      );
    } catch (error) {
      toast.failed('The log could not be downloaded', errorText(error).what);
    } finally {
      setProgress(null);
    }
  };
  const label =
    progress === null ? 'Download the log' : `Downloading, ${bytes(progress)} of ${bytes(end)}`;
  return (
    <IconButton label={label} disabled={progress !== null || end === 0} onClick={download}>
      <Download size={16} />
    </IconButton>
  );
}
