import { ForbiddenError } from '@dstack/client';
import { Lock, Trash2 } from 'lucide-react';
import type { ReactNode } from 'react';
import { Banner } from '../feedback/banner.tsx';
import { ErrorPanel } from '../feedback/error-panel.tsx';
import { isMissingError } from '../feedback/error-text.ts';
import { Skeleton } from '../feedback/skeleton.tsx';
import { useStatusAnnouncement } from '../status/use-status-announcement.ts';
import { PageFrame } from './page.tsx';
import { usePageTitle } from './page-title.ts';

export interface ResourcePageProps<T> {
  /** `fleet` */
  readonly noun: string;
  /** From the address. */
  readonly name: string;
  readonly query: {
    readonly data: T | undefined;
    readonly error: unknown;
    readonly refetch: () => unknown;
  };
  /** The server marks it as deleted. */
  readonly isDeleted?: (resource: T) => boolean;
  /** The status, which is announced when it changes while the page is open. */
  readonly statusText?: (resource: T) => string;
  /** The status for the title of the browser's tab, where it is announced by other means. */
  readonly titleStatus?: (resource: T) => string;
  /** The open one of the tabs of the page. */
  readonly part?: string | null;
  /** A link to the list. */
  readonly back: ReactNode;
  /** `notice` has to be shown above the content. */
  readonly children: (resource: T, notice: ReactNode) => ReactNode;
}

/** A page about one thing: while it is loaded, when it is missing, and when it was deleted meanwhile. */
export function ResourcePage<T>(props: ResourcePageProps<T>) {
  const { noun, name, query, isDeleted, back, children } = props;
  const { data, error, refetch } = query;
  const { statusText, titleStatus = statusText, part } = props;
  const status = data === undefined ? null : titleStatus?.(data);
  usePageTitle([name, status, part].filter(Boolean).join(' · '));
  useStatusAnnouncement(
    `${noun} ${name}`,
    data === undefined ? null : (statusText?.(data) ?? null),
  );
  const isMissing = isMissingError(error);
  if (data !== undefined) {
    const wasDeleted = isMissing || isDeleted?.(data) === true;
    const isHidden = error instanceof ForbiddenError;
    return children(
      data,
      wasDeleted ? (
        <Deleted noun={noun} isLoaded={!isMissing} />
      ) : isHidden ? (
        <Hidden noun={noun} />
      ) : null,
    );
  }
  if (error !== null) {
    return (
      <ErrorPanel
        page
        title={isMissing ? `There is no ${noun} ${name}` : `The ${noun} could not be loaded`}
        error={error}
        {...(isMissing ? {} : { onRetry: () => void refetch() })}
        actions={back}
      />
    );
  }
  return (
    <PageFrame title={name}>
      <Skeleton lines={6} />
    </PageFrame>
  );
}

/** `isLoaded`: the server still has it, marked as deleted. */
function Deleted({ noun, isLoaded }: { readonly noun: string; readonly isLoaded: boolean }) {
  return (
    <Banner tone="warning" icon={Trash2}>
      This {noun} was deleted.{isLoaded ? null : ' You see what was loaded before.'}
    </Banner>
  );
}

/** The server does not report to strangers whether it exists. */
function Hidden({ noun }: { readonly noun: string }) {
  return (
    <Banner tone="warning" icon={Lock}>
      This {noun} was deleted, or you may no longer see it. You see what was loaded before.
    </Banner>
  );
}
