import { shellQuote } from '@dstack/contract/shell';

/**
 * Lines that the default image needs before the user's: they install a Python of the requested
 * version. Lines are joined by `&&`, so a line with an alternative is in braces.
 */
export function pythonPrologue(python: string): string[] {
  const create = `uv venv -q --seed --allow-existing --python ${shellQuote(python)} /dstack/venv`;
  return [
    // The image may run as a user who cannot write to `/dstack`.
    'if ! { mkdir -p /dstack/venv && [ -w /dstack/venv ]; } 2> /dev/null; then ' +
      'sudo mkdir -p /dstack/venv && sudo chown "$(id -u):$(id -g)" /dstack/venv; fi',
    // Prefer interpreters of the image; its settings must not affect the user's uv.
    '{ ( [ -d /opt/uv/python ] && export UV_PYTHON_INSTALL_DIR=/opt/uv/python ' +
      `UV_PYTHON_DOWNLOADS=never && ${create} 2> /dev/null ) || ${create}; }`,
    'export DSTACK_VENV_DIR=/dstack/venv',
    "printf '%s\\n' 'export DSTACK_VENV_DIR=/dstack/venv' '. /dstack/venv/bin/activate' | " +
      '{ { cat >> /dstack/profile; } 2> /dev/null || sudo tee -a /dstack/profile > /dev/null; }',
    '. /dstack/venv/bin/activate',
  ];
}

/** Starts the Docker daemon inside the image of `docker: true`. */
export const DOCKER_PROLOGUE: readonly string[] = ['start-dockerd'];
