// Exits with one line where the Node that runs it is too old for the TypeScript of this repository.
// Plain JavaScript, because an older Node reads no TypeScript at all: it runs before what is.

/** Oldest version that runs TypeScript and has all of `node:sqlite` that is used. */
const NEEDED = [24, 15];

const { node } = process.versions;
const [major = 0, minor = 0] = node.split('.').map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    `Node.js ${NEEDED.join('.')} or newer is needed, this is ${node}: use \`npm run\`, scripts/test or scripts/bench, which start the Node that \`npm ci\` installs on Linux, or put a newer one first on PATH`,
  );
  process.exit(1);
}
