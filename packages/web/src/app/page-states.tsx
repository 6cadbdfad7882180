import { type ErrorComponentProps, Link } from '@tanstack/react-router';
import { FileQuestionMark, RefreshCw } from 'lucide-react';
import { useEffect, useState } from 'react';
import { type ServedBuild, servedBuild } from '../data/server/served-build.ts';
import { Button, buttonClass } from '../ui/button/button.tsx';
import { EmptyState } from '../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../ui/feedback/error-panel.tsx';
import { Skeleton } from '../ui/feedback/skeleton.tsx';
import { useInsteadOfFirstFrame } from '../ui/panel/first-frame.ts';
import { PageFrame } from '../ui/panel/page.tsx';
import { usePageTitle } from '../ui/panel/page-title.ts';
import { useLatest } from '../ui/use-latest.ts';

/** Instead of a page that failed; the frame around it stays. */
export function PageError({ error, reset }: ErrorComponentProps) {
  usePageTitle('Error');
  useInsteadOfFirstFrame();
  if (isMissingPart(error)) return <MissingPart />;
  return <ErrorPanel page title="The page could not be shown" error={error} onRetry={reset} />;
}

/** The messages of Chromium, Firefox, Safari and Vite about code and styles that did not arrive. */
const MISSING_PART = /dynamically imported module|module script failed|unable to preload css/i;

export function isMissingPart(error: unknown): boolean {
  return error instanceof Error && MISSING_PART.test(error.message);
}

interface MissingPartProps {
  readonly reload?: () => void;
  /** Runs the function after the time, unless the returned function is called before. */
  readonly setTimer?: (run: () => void, ms: number) => () => void;
}

/** Between two questions whether the server answers again. */
const ASK_MS = 2000;

/**
 * The server has another build of the UI since this page was opened, or the connection was interrupted: then
 * the page is loaded again as soon as the server answers. There is nothing on it that could be lost.
 */
export function MissingPart(props: MissingPartProps) {
  const { reload = () => location.reload(), setTimer = timer } = props;
  const [served, setServed] = useState<ServedBuild | null>(null);
  const [asked, setAsked] = useState(0);
  const actions = useLatest({ reload, setTimer });
  // For the network.
  useEffect(() => {
    let cancel = () => {};
    let isLeft = false;
    void servedBuild().then((answer) => {
      if (isLeft) return;
      setServed(answer);
      if (answer === 'unknown') {
        cancel = actions.current.setTimer(() => setAsked((count) => count + 1), ASK_MS);
      } else if (asked > 0) actions.current.reload();
    });
    return () => {
      isLeft = true;
      cancel();
    };
  }, [actions, asked]);
  if (served === null) return <PagePending />;
  return (
    <EmptyState
      page
      icon={RefreshCw}
      title={
        served === 'other'
          ? 'A new version of the web UI is available'
          : 'A part of the web UI could not be loaded'
      }
      actions={
        <Button variant="primary" onClick={reload}>
          Reload the page
        </Button>
      }
    >
      <p>{MISSING_TEXTS[served]}</p>
    </EmptyState>
  );
}

const MISSING_TEXTS: Readonly<Record<ServedBuild, string>> = {
  other: 'The server was updated while this page was open.',
  own: 'The connection to the server was interrupted for a moment.',
  unknown: 'The server does not answer. The page is loaded again as soon as it does.',
};

function timer(run: () => void, ms: number): () => void {
  const handle = setTimeout(run, ms);
  return () => clearTimeout(handle);
}

export function PageNotFound() {
  usePageTitle('Not found');
  return (
    <EmptyState
      page
      icon={FileQuestionMark}
      title="There is no such page"
      actions={
        <Link to="/" className={buttonClass({})}>
          Go to the start
        </Link>
      }
    >
      <p>The address may be misspelled, or what it named was deleted.</p>
    </EmptyState>
  );
}

export function PagePending() {
  return (
    <PageFrame title={<span className="visually-hidden">Loading</span>}>
      <Skeleton lines={6} />
    </PageFrame>
  );
}
