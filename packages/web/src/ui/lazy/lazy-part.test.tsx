import { render, screen } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { useState } from 'react';
import { describe, expect, it } from 'vitest';
import { type LazyPart, lazyPart, preloadParts } from './lazy-part.ts';

const Whole = () => <p>whole</p>;

function Page({ part }: { readonly part: LazyPart<object> }) {
  const [isNeeded, setNeeded] = useState(false);
  const Part = part.usePart(isNeeded);
  return Part === null ? (
    <button type="button" onClick={() => setNeeded(true)}>
      open
    </button>
  ) : (
    <Part />
  );
}

describe('a part outside of the first load', () => {
  it('is loaded when it is needed, once', async () => {
    let loads = 0;
    const part = lazyPart(async () => {
      loads += 1;
      return Whole;
    });
    render(<Page part={part} />);
    expect(loads).toBe(0);
    await userEvent.click(screen.getByRole('button'));
    await screen.findByText('whole');
    expect(loads).toBe(1);
  });

  it('does not replace what has the focus before it is needed', async () => {
    const part = lazyPart(async () => Whole);
    render(<Page part={part} />);
    await preloadParts();
    expect(screen.getByRole('button')).toBeTruthy();
  });

  it('is drawn at once where it was loaded before', async () => {
    const part = lazyPart(async () => Whole);
    await preloadParts();
    render(<Page part={part} />);
    expect(screen.getByText('whole')).toBeTruthy();
  });

  it('leaves the page as it is if it is optional and cannot be loaded', async () => {
    const { promise, reject } = Promise.withResolvers<typeof Whole>();
    const part = lazyPart(() => promise, { isOptional: true });
    render(<Page part={part} />);
    await userEvent.click(screen.getByRole('button'));
    reject(new Error('Failed to fetch dynamically imported module'));
    await promise.catch(() => {});
    expect(screen.getByRole('button')).toBeTruthy();
  });
});
