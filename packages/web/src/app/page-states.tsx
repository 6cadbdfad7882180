import { type ErrorComponentProps, Link } from '@tanstack/react-router';
import { FileQuestionMark, RefreshCw } from 'lucide-react';
import { Button, buttonClass } from '../ui/button/button.tsx';
import { EmptyState } from '../ui/feedback/empty-state.tsx';
import { ErrorPanel } from '../ui/feedback/error-panel.tsx';
import { Skeleton } from '../ui/feedback/skeleton.tsx';
import { PageFrame } from '../ui/panel/page.tsx';
import { usePageTitle } from '../ui/panel/page-title.ts';

/** Instead of a page that failed; the frame around it stays. */
export function PageError({ error, reset }: ErrorComponentProps) {
  usePageTitle('Error');
  if (isOutdated(error)) return <NewVersion />;
  return <ErrorPanel page title="The page could not be shown" error={error} onRetry={reset} />;
}

/** A part of the UI that the server no longer has: it was updated while the page was open. */
const OUTDATED = /dynamically imported module|module script failed/i;

function isOutdated(error: unknown): boolean {
  return error instanceof Error && OUTDATED.test(error.message);
}

function NewVersion() {
  return (
    <EmptyState
      page
      icon={RefreshCw}
      title="A new version of the web UI is available"
      actions={
        <Button variant="primary" onClick={() => location.reload()}>
          Reload the page
        </Button>
      }
    >
      <p>The server was updated while this page was open.</p>
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
