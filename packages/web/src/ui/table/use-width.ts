import { type RefObject, useCallback, useState } from 'react';

/** The inner width of the element that gets the returned ref, in px; null: not known. */
export function useWidth(
  element: RefObject<HTMLDivElement | null>,
): readonly [number | null, (shown: HTMLDivElement) => () => void] {
  const [width, setWidth] = useState<number | null>(null);
  const ref = useCallback(
    (shown: HTMLDivElement) => {
      element.current = shown;
      // Without a layout, as in tests, nothing has a width.
      const measure = () => setWidth(shown.clientWidth || null);
      measure();
      const observer = new ResizeObserver(measure);
      observer.observe(shown);
      return () => {
        observer.disconnect();
        element.current = null;
      };
    },
    [element],
  );
  return [width, ref];
}
