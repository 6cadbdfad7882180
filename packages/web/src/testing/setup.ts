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

/** Browsers refuse a call of these as methods of another object; Node and the simulated browser do not. */
const BOUND = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const;
const strict = Symbol.for('dstack.strict');
for (const name of BOUND) {
  const lenient: CallableFunction = globalThis[name];
  // The suites of a worker share its globals.
  if (strict in lenient) continue;
  const strictly = function (this: unknown, ...values: unknown[]) {
    if (this !== undefined && this !== globalThis) throw new TypeError('Illegal invocation');
    return Reflect.apply(lenient, undefined, values);
  };
  Object.assign(globalThis, { [name]: Object.assign(strictly, lenient, { [strict]: true }) });
}

// As in a browser that has shown the page for a moment.
await preloadParts();
