import { type RefObject, useCallback, useLayoutEffect, useRef } from 'react';

/** Lines of which the reader may be away from the end, in px. */
const NEAR = 32;

export interface FollowingEnd {
  /** Properties of the element that scrolls. */
  readonly region: { readonly ref: RefObject<HTMLElement | null>; readonly onScroll: () => void };
  /** Follows the end again. */
  readonly toEnd: () => void;
}

/** Keeps the end of growing content in view, until the reader scrolls up; at the end it goes on. */
export function useFollowingEnd(content: unknown): FollowingEnd {
  const ref = useRef<HTMLElement | null>(null);
  const isFollowing = useRef(true);
  const onScroll = useCallback(() => {
    const element = ref.current;
    if (element === null) return;
    const { scrollHeight, scrollTop, clientHeight } = element;
    isFollowing.current = scrollHeight - scrollTop - clientHeight <= NEAR;
  }, []);
  // Before the browser paints, so that the content does not jump.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the content decides on the height
  useLayoutEffect(() => {
    if (isFollowing.current && ref.current !== null)
      ref.current.scrollTop = ref.current.scrollHeight;
  }, [content]);
  const toEnd = useCallback(() => {
    isFollowing.current = true;
  }, []);
  return { region: { ref, onScroll }, toEnd };
}
