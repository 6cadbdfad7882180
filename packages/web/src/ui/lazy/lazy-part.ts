import { type ComponentType, useEffect, useState } from 'react';

export interface LazyPart<Props> {
  /** Starts to load the code, so that it is there when it is needed. A failure shows when it is used. */
  readonly preload: () => void;
  /** The component once it is loaded and needed; null before. */
  readonly usePart: (isNeeded: boolean) => ComponentType<Props> | null;
}

export interface LazyPartOptions {
  /** The page stays as it is if the code cannot be loaded. */
  readonly isOptional?: boolean;
}

const preloads = new Set<() => Promise<unknown>>();

/**
 * A component whose code is no part of the first load. If the code is there when the place of the component is
 * first drawn, it is used at once. Otherwise a stand-in keeps the place until the component is needed, so that
 * the focus is not lost meanwhile.
 */
export function lazyPart<Props>(
  load: () => Promise<ComponentType<Props>>,
  options: LazyPartOptions = {},
): LazyPart<Props> {
  let loaded: ComponentType<Props> | null = null;
  let pending: Promise<ComponentType<Props>> | null = null;
  const start = (): Promise<ComponentType<Props>> => {
    pending ??= load().then(
      (component) => {
        loaded = component;
        return component;
      },
      (error) => {
        pending = null;
        throw error;
      },
    );
    return pending;
  };
  preloads.add(start);
  return {
    preload: () => void start().catch(() => {}),
    usePart: (isNeeded) => useLoaded(isNeeded, start, () => loaded, options),
  };
}

function useLoaded<Props>(
  isNeeded: boolean,
  start: () => Promise<ComponentType<Props>>,
  loadedNow: () => ComponentType<Props> | null,
  { isOptional = false }: LazyPartOptions,
): ComponentType<Props> | null {
  const [part, setPart] = useState(loadedNow);
  const [failure, setFailure] = useState<{ readonly error: unknown } | null>(null);
  const isMissing = isNeeded && part === null;
  // For the network: the code arrives some time after it is needed.
  useEffect(() => {
    if (!isMissing) return;
    let isCurrent = true;
    start().then(
      (component) => {
        if (isCurrent) setPart(() => component);
      },
      (error: unknown) => {
        if (isCurrent) setFailure({ error });
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [isMissing, start]);
  // The page's error boundary explains it: usually the server has a new version of the UI.
  if (failure !== null && !isOptional) throw failure.error;
  return part;
}

/** Loads all parts, when the browser has nothing more urgent to do. */
export async function preloadParts(): Promise<void> {
  await Promise.allSettled([...preloads].map((start) => start()));
}
