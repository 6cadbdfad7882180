/** Scripts in a form that providers accept which limit the length of a command. */
import { gzipSync } from 'node:zlib';
import { LAUNCHER_PREFIX } from './launcher.ts';

const PYTHON = `import base64, gzip, sys; sys.stdout.write(gzip.decompress(base64.b64decode(sys.argv[1])).decode())`;

/** A line that is a comment of the shell. */
const COMMENT = /^[ \t]*#.*\n/gm;

/** A script of `sh` that unpacks the given one, and runs it with the same arguments. */
export function packedScript(script: string): string {
  const packed = gzipSync(script.replaceAll(COMMENT, ''), { level: 9 }).toString('base64');
  return `
p=${packed}
s=$(printf %s "$p" | base64 -d 2>/dev/null | gunzip -c 2>/dev/null) || s=$(python3 -c '${PYTHON}' "$p" 2>/dev/null) || {
  echo '${LAUNCHER_PREFIX}the image has neither base64 and gunzip nor python3, one of which is needed to start the agent' >&2
  exit 78
}
unset p
eval "$s"
`.trim();
}
