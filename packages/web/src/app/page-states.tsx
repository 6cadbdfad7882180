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

/** The server has another build of the UI since this page was opened, or the connection was interrupted. */
function MissingPart() {
  const [served, setServed] = useState<ServedBuild | null>(null);
  // For the network.
  useEffect(() => void servedBuild().then(setServed), []);
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
        <Button variant="primary" onClick={() => location.reload()}>
          Reload the page
        </Button>
      }
    >
      <p>
        {served === 'other'
          ? 'The server was updated while this page was open.'
          : 'The connection to the server was interrupted. Reload the page when it is back.'}
      </p>
    </EmptyState>
  );
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
