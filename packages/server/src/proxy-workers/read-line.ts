import type { Duplex } from 'node:stream';

/** Bytes; the first line of a connection is far shorter. */
const LONGEST = 64 * 1024;

/** Reads the first line of a connection, and leaves the rest in it. */
export function readLine(stream: Duplex): Promise<string> {
  return new Promise((resolve, reject) => {
    let before = Buffer.alloc(0);
    const fail = () => reject(new Error('the connection was closed before its first line'));
    const settle = () => {
      stream.off('readable', read);
      stream.off('close', fail);
      stream.off('error', reject);
    };
    const read = () => {
      for (let piece = stream.read(); piece !== null; piece = stream.read()) {
        before = Buffer.concat([before, piece]);
        const end = before.indexOf(10);
        if (end < 0 && before.length <= LONGEST) continue;
        settle();
        if (end < 0) return reject(new Error('the first line is too long'));
        const rest = before.subarray(end + 1);
        if (rest.length > 0) stream.unshift(rest);
        return resolve(before.toString('utf8', 0, end));
      }
    };
    stream.on('readable', read);
    stream.once('close', fail);
    stream.once('error', reject);
  });
}
