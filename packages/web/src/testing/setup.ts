import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';
import '../ui/dialog/dialog.tsx';
import { preloadParts } from '../ui/lazy/lazy-part.ts';
import '../ui/menu/menu.tsx';
import '../ui/select/select.tsx';
import '../ui/toast/toaster.tsx';

// For hangs only: pages are loaded as they are needed, and the machine may be busy.
configure({ asyncUtilTimeout: 10_000 });
window.scrollTo = () => {};

afterEach(() => {
  cleanup();
  localStorage.clear();
  document.body.replaceChildren();
});

// The simulated browser lays nothing out: without a size, virtual lists would draw no rows.
Object.defineProperties(HTMLElement.prototype, {
  clientHeight: { configurable: true, get: () => 800 },
  clientWidth: { configurable: true, get: () => 1200 },
  offsetHeight: { configurable: true, get: () => 800 },
  offsetWidth: { configurable: true, get: () => 1200 },
});

Range.prototype.getClientRects ??= () => [] as unknown as DOMRectList;

globalThis.matchMedia ??= (query: string) =>
  ({
    matches: false,
    media: query,
    addEventListener: () => {},
    removeEventListener: () => {},
  }) as unknown as MediaQueryList;

globalThis.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};

// As in a browser that has shown the page for a moment.
await preloadParts();
