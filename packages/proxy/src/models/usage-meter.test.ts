import { describe, expect, it } from 'vitest';
import { answerMeter, streamMeter, type UsageMeter } from './usage-meter.ts';

/** In pieces of this many bytes; returns what is passed on. */
function pass(meter: UsageMeter, text: string, size: number): string {
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    parts.push(meter.push(bytes.subarray(at, at + size)));
  }
  return Buffer.concat([...parts, meter.flush()]).toString();
}

const reported = (promptTokens: number, completionTokens: number) => ({
  ...{ promptTokens, completionTokens, isEstimated: false },
});

describe('a whole answer', () => {
  it.each([
    ['{"usage":{"prompt_tokens":3,"completion_tokens":4}}', reported(3, 4)],
    ['{"data":[{"usage":1}],"usage":{"prompt_tokens":3,"total_tokens":3}}', reported(3, 0)],
    ['{"usage":{"input_tokens":5,"output_tokens":6},"b64":"x"}', reported(5, 6)],
    ['{"usage":{"total_tokens":7}}', reported(7, 0)],
    ['{"usage":{"prompt_tokens":-3}}', { ...reported(0, 0), isEstimated: true }],
    ['{"usage":null}', { ...reported(0, 0), isEstimated: true }],
    ['no json', { ...reported(0, 0), isEstimated: true }],
  ])('%s has used %j', (text, tokens) => {
    for (const size of [1, 7, 1000]) {
      const meter = answerMeter();
      expect(pass(meter, text, size)).toBe(text);
      expect(meter.tokens).toEqual(tokens);
    }
  });
});

describe('a stream', () => {
  const piece = (content: string) => `data: {"choices":[{"delta":{"content":"${content}"}}]}\n\n`;
  const usage = 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}\n\n';
  const done = 'data: [DONE]\n\n';

  it('has used what it reports, in an event that its client may not have asked for', () => {
    for (const size of [1, 5, 1000]) {
      const text = piece('Zoë') + piece('b') + usage + done;
      const shown = streamMeter(false);
      expect(pass(shown, text, size)).toBe(text);
      expect(shown.tokens).toEqual(reported(3, 9));
      const hidden = streamMeter(true);
      expect(pass(hidden, text, size)).toBe(piece('Zoë') + piece('b') + done);
      expect(hidden.tokens).toEqual(reported(3, 9));
    }
  });

  it("of Anthropic's API has used what its first and last events report", () => {
    const text = [
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}\n\n',
      'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":15}}\n\n',
      'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ].join('');
    const meter = streamMeter(false);
    expect(pass(meter, text, 7)).toBe(text);
    expect(meter.tokens).toEqual(reported(25, 15));
    const broken = streamMeter(false);
    pass(broken, text.slice(0, text.indexOf('event: message_delta')), 7);
    expect(broken.tokens).toEqual({ promptTokens: 25, completionTokens: 1, isEstimated: true });
  });

  it('that breaks off is estimated by its events', () => {
    const meter = streamMeter(true);
    expect(pass(meter, `${piece('a')}: comment\n\n${piece('b')}data: {"cho`, 3)).toContain('"cho');
    expect(meter.tokens).toMatchObject({ completionTokens: 3, isEstimated: true });
  });

  it('keeps the names of events, and an event with content and usage', () => {
    const text =
      'event: response.completed\r\ndata: {"response":{"usage":{"input_tokens":1,"output_tokens":2}}}\r\n\r\n' +
      'data: {"choices":[{}],"usage":{"prompt_tokens":8,"completion_tokens":8}}\n\n';
    const meter = streamMeter(true);
    expect(pass(meter, text, 4)).toBe(text);
    expect(meter.tokens).toEqual(reported(8, 8));
  });

  it('of many lines without the end of an event passes in tiny pieces', () => {
    const text = `${'x\n'.repeat(125_000)}\n${usage}`;
    expect(pass(streamMeter(false), text, 2)).toBe(text);
  });

  it('passes on whatever it contains', () => {
    const text = `data: {"usage"\n\n${'x'.repeat(1_200_000)}\n\ndata: "usage"\n\n`;
    expect(pass(streamMeter(true), text, 65_536)).toBe(text);
  });
});
