import type { Run } from '@dstack/contract/wire';
import { LogOut, Pause } from 'lucide-react';
import { useState } from 'react';
import { plural } from '../../domain/format/quantities.ts';
import { runNotices } from '../../domain/queue/run-notices.ts';
import { useQueueMoves } from '../../domain/queue/use-queue-moves.ts';
import { Button } from '../../ui/button/button.tsx';
import { visibleText } from '../../ui/code/visible-text.ts';
import { Banner } from '../../ui/feedback/banner.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';

/** Decisions of a person or another run about this one: it is held, or has to leave its instance. */
export function RunNoticesView({ run }: { readonly run: Run }) {
  return (
    <>
      {runNotices(run).map(({ message, interrupt_at, ends_at, jobs }) => (
        <Banner key={message} tone="warning" icon={LogOut}>
          {run.jobs.length > 1 ? plural(jobs.length, 'job') : 'The job'}{' '}
          {jobs.length > 1 ? 'have' : 'has'} to leave: {visibleText(message)}. Ctrl-C{' '}
          <RelativeTime at={interrupt_at} />, the end <RelativeTime at={ends_at} />; then it is
          submitted again.
        </Banner>
      ))}
      {run.hold === undefined ? null : <Held run={run} hold={run.hold} />}
    </>
  );
}

function Held(props: { readonly run: Run; readonly hold: NonNullable<Run['hold']> }) {
  const { run, hold } = props;
  const { release } = useQueueMoves();
  const [busy, setBusy] = useState(false);
  const onRelease = async () => {
    setBusy(true);
    await release([{ project: run.project_name, name: run.run_spec.run_name ?? '' }]);
    setBusy(false);
  };
  return (
    <Banner
      tone="queued"
      icon={Pause}
      actions={
        <Button size="sm" busy={busy} onClick={() => void onRelease()}>
          Release
        </Button>
      }
    >
      Held by <bdi>{hold.by}</bdi> <RelativeTime at={hold.since} />. It joins the queue once it is
      released.
    </Banner>
  );
}
