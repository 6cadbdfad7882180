// Runs before the first paint, so that a saved theme never flashes. A file, as the content security
// policy allows no inline script. The keys are those of `src/app/theme.ts`.
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem('dstack-theme');
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
    const tones = localStorage.getItem('dstack-tones');
    if (tones === 'safe') root.dataset.tones = tones;
  } catch {
    // Storage is switched off: the theme of the system applies.
  }
})();
