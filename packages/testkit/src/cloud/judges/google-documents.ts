/**
 * Google's discovery documents: every path, parameter, field and enumeration of its services. They are part of Google's
 * Python client, which is fetched from the package index once; no copy is in this repository.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export const GOOGLE_DOCUMENTS = 'google-api-python-client==2.202.0';
const FOLDER = 'google-documents/2.202.0';

/** Fetches the package `$2` into `$1`, and keeps the documents of the services that are named after it. */
const FETCH = `
set -e
folder=$1 package=$2
[ ! -e "$folder/complete" ] || exit 0
rm -rf "$folder"
mkdir -p "$folder"
python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
  python3 -m venv "$folder/venv"
  python="$folder/venv/bin/python"
fi
"$python" -m pip download --quiet --no-deps --dest "$folder" "$package"
shift 2
for service in "$@"; do
  python3 -c 'import sys, zipfile
folder, wheel, name = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, open(f"{folder}/{name}", "wb") as out:
    out.write(archive.read(f"googleapiclient/discovery_cache/documents/{name}"))' "$folder" "$folder"/*.whl "$service"
done
rm -rf "$folder"/*.whl "$folder/venv"
touch "$folder/complete"
`;

const NAMES = ['compute.v1.json', 'cloudresourcemanager.v1.json'] as const;

export type GoogleDocumentName = (typeof NAMES)[number];

/** Null: they cannot be fetched here, and a message on the console has the reason. On CI it throws instead. */
export function googleDocuments(): ((name: GoogleDocumentName) => unknown) | null {
  const root = resolve(import.meta.dirname, '..', '..', '..', '..', '..');
  const folder = join(root, '.cache', FOLDER);
  if (!existsSync(join(folder, 'complete'))) {
    mkdirSync(dirname(folder), { recursive: true });
    const fetch = [`${folder}.lock`, 'sh', '-c', FETCH, 'sh', folder, GOOGLE_DOCUMENTS, ...NAMES];
    try {
      execFileSync('flock', fetch, { stdio: 'pipe', encoding: 'utf8' });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      const text = `GCP is NOT judged by its documents: ${(error as Error).message}`;
      if (process.env.CI) throw new Error(text);
      console.warn(text);
      return null;
    }
  }
  return (name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown;
}
