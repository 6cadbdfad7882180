import { type RefObject, useLayoutEffect, useRef } from 'react';

/** The value of the latest rendering, for functions that must stay the same from one to the next. */
export function useLatest<T>(value: T): RefObject<T> {
  const latest = useRef(value);
  useLayoutEffect(() => {
    latest.current = value;
  }, [value]);
  return latest;
}
