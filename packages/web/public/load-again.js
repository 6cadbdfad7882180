// Instead of an empty page when a part of the UI did not arrive: browsers cancel what they load when the
// network changes, as with every container or VPN that starts. A file, as the content security policy
// allows no inline script.
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
    const text = document.createElement('p');
    text.setAttribute('role', 'alert');
    text.textContent = 'The web UI could not be loaded. ';
    const button = document.createElement('button');
    button.textContent = 'Load it again';
    button.addEventListener('click', () => location.reload());
    text.append(button);
    document.getElementById('root')?.replaceChildren(text);
  };

  const entry = document.querySelector('script[type="module"]');
  entry?.addEventListener('error', () => {
    const count = tries();
    if (count >= MAX_TRIES) {
      showFailure();
      return;
    }
    sessionStorage.setItem(KEY, String(count + 1));
    setTimeout(() => location.reload(), 500 * 2 ** count);
  });
  entry?.addEventListener('load', () => {
    if (tries() > 0) sessionStorage.removeItem(KEY);
  });
})();
