import { type RefObject, useMemo, useRef } from 'react';
import { useCommands } from './command-context.tsx';

/** The text filter of a list, and the key that moves the focus there. */
export function useFilterCommand(title: string): RefObject<HTMLInputElement | null> {
  const input = useRef<HTMLInputElement>(null);
  useCommands(
    useMemo(
      () => [
        {
          id: 'list.filter',
          label: `Filter ${title.toLowerCase()}`,
          group: 'This page' as const,
          keys: '/',
          run: () => input.current?.focus(),
        },
      ],
      [title],
    ),
  );
  return input;
}
