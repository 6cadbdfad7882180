// Instead of an empty page when a part of the UI did not arrive: browsers cancel what they load when the
// network changes, as with every container or VPN that starts. It is part of the page, whose content security
// policy names its hash, and stands before the script whose failure it must see.
(() => {
  const KEY = 'dstack-load-again';
  const MAX_TRIES = 3;

  const tries = () => {
    try {
      return Number(sessionStorage.getItem(KEY));
    } catch {
      // Storage is switched off: a reload would not know that it is one.
      return MAX_TRIES;
    }
  };

  const showFailure = () => {
    document.getElementById('first-frame')?.remove();
    const text = document.createElement('p');
    text.setAttribute('role', 'alert');
    text.textContent = 'The web UI could not be loaded. ';
    const button = document.createElement('button');
    button.textContent = 'Load it again';
    button.addEventListener('click', () => location.reload());
    text.append(button);
    document.getElementById('root')?.replaceChildren(text);
  };

  const isEntry = ({ target }) => target instanceof HTMLScriptElement && target.type === 'module';

  // Events of scripts do not bubble.
  const capture = { capture: true };
  document.addEventListener(
    'error',
    (event) => {
      if (!isEntry(event)) return;
      const count = tries();
      if (count >= MAX_TRIES) {
        showFailure();
        return;
      }
      sessionStorage.setItem(KEY, String(count + 1));
      setTimeout(() => location.reload(), 500 * 2 ** count);
    },
    capture,
  );
  document.addEventListener(
    'load',
    (event) => {
      if (isEntry(event) && tries() > 0) sessionStorage.removeItem(KEY);
    },
    capture,
  );
})();
