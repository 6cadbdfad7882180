/** Receives a request to a model. Only a few fields are read; the model checks the others. */
import type { IncomingMessage } from 'node:http';
import { missingDetail } from '@dstack/contract/api';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { UnprocessableError } from '../intake/parse-json.ts';
import { type BodyPace, receive } from '../intake/receive.ts';
import { SpooledBody } from './spooled-body.ts';
import { TopLevelScan } from './top-level-scan.ts';

export interface ModelRequest {
  readonly model: string;
  readonly isStream: boolean;
  /** The client has not asked for the usage of its stream; the server has. */
  readonly hidesUsage: boolean;
  readonly contentType: string;
  readonly body: SpooledBody;
}

export interface ModelBodyRules {
  /** Folder for large bodies. */
  readonly dir: string;
  /** Bytes. */
  readonly limit: number;
  readonly pace: BodyPace;
  /** Reserves memory. */
  readonly reserve: (bytes: number) => void;
  /** Reserves space in the folder. */
  readonly reserveDisk: (bytes: number) => Promise<void>;
}

/** Reads what the server needs from a body while it arrives. */
interface BodyReader {
  push(piece: Buffer): void | Promise<void>;
  end(): Promise<Facts>;
}

interface Facts {
  readonly model: unknown;
  readonly isStream: boolean;
  /** Where a key can be added to the body; null = nowhere, or the client has set the options. */
  readonly optionsAt: number | null;
}

/** Paths whose streams report their usage only on request. */
const WITH_STREAM_OPTIONS = ['chat/completions', 'completions'];

/**
 * The caller must dispose of the body. Throws `RefusedBody`, or `UnprocessableError` if the body names no
 * model.
 */
export async function readModelRequest(
  request: IncomingMessage,
  path: string,
  rules: ModelBodyRules,
): Promise<ModelRequest> {
  const contentType = request.headers['content-type'] ?? 'application/json';
  const body = new SpooledBody(rules.dir, rules.reserve, rules.reserveDisk);
  try {
    const reader = /^multipart\//i.test(contentType) ? formReader(contentType) : jsonReader();
    await receive(request, rules, async (piece) => {
      await reader.push(piece);
      await body.write(piece);
    });
    const { model, isStream, optionsAt } = await reader.end();
    if (typeof model !== 'string' || model === '') {
      throw new UnprocessableError([missingDetail('body', 'model')]);
    }
    const hidesUsage = isStream && optionsAt !== null && WITH_STREAM_OPTIONS.includes(path);
    if (hidesUsage) body.insert(optionsAt, ',"stream_options":{"include_usage":true}');
    return { model, isStream, hidesUsage, contentType, body };
  } catch (error) {
    await body.dispose();
    throw error;
  }
}

function jsonReader(): BodyReader {
  const scan = new TopLevelScan(['model', 'stream', 'stream_options']);
  return {
    push: (piece) => scan.push(piece),
    end: async () => ({
      model: scan.value('model'),
      isStream: scan.value('stream') === true,
      optionsAt: scan.text('stream_options') === null ? scan.end : null,
    }),
  };
}

/** Bytes passed to the parser at a time: it cannot be stopped within a piece. */
const STEP = 16 * 1024;

/** A form with files, as for audio and images. */
function formReader(contentType: string): BodyReader {
  const fields = new Map<string, string>();
  let isBroken = false;
  const form = parserOf(contentType);
  const over = Promise.withResolvers<void>();
  form?.on('field', (name: string | undefined, value: string) => {
    if (name === 'model' || name === 'stream') fields.set(name, value);
  });
  form?.on('file', (_name: string, content: BusboyFileStream) => void content.resume());
  form?.on('finish', over.resolve);
  form?.on('error', () => {
    // The model reports what is wrong with a form that names it.
    isBroken = true;
    over.resolve();
  });
  return {
    async push(piece) {
      for (let at = 0; form !== null && !isBroken && at < piece.length; at += STEP) {
        const step = piece.subarray(at, at + STEP);
        await Promise.race([
          over.promise,
          new Promise<void>((done) => form.write(step, () => done())),
        ]);
      }
    },
    async end() {
      if (form !== null && !isBroken) {
        form.end();
        await over.promise;
      }
      form?.destroy();
      const isStream = fields.get('stream') === 'true';
      return { model: fields.get('model'), isStream, optionsAt: null };
    },
  };
}

function parserOf(contentType: string): BusboyInstance | null {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: {
        parts: 1000,
        headerPairs: 20,
        headerSize: 8192,
        fieldNameSize: 100,
        fieldSize: 1000,
      },
    });
  } catch {
    // Without a boundary there are no fields.
    return null;
  }
}
