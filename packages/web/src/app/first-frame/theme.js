// Runs before the first paint, so that a saved theme never flashes, and selects the frame that is painted
// until the UI runs. It is part of the page, whose content security policy names its hash. The keys are those
// of `app/theme.ts` and `data/session/session-keys.ts`.
(() => {
  const { dataset } = document.documentElement;
  dataset.firstFrame = 'sign-in';
  try {
    const theme = localStorage.getItem('dstack-theme');
    if (theme === 'light' || theme === 'dark') dataset.theme = theme;
    const tones = localStorage.getItem('dstack-tones');
    if (tones === 'safe') dataset.tones = tones;
    if (localStorage.getItem('dstack-session-key') !== null) dataset.firstFrame = 'shell';
  } catch {
    // Storage is switched off: the theme of the system applies, and nobody is signed in.
  }
})();
