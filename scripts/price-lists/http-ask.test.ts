import { describe, expect, it } from 'vitest';
import { httpAsk } from './http-ask.ts';

function asking(...given: readonly Response[]) {
  const answers = [...given];
  const asked: (RequestInit | undefined)[] = [];
  const waited: number[] = [];
  const ask = httpAsk({
    fetch: async (_url, init) => {
      asked.push(init);
      return answers.shift() ?? new Response('', { status: 500 });
    },
    delay: async (ms) => void waited.push(ms),
  });
  return { ask, asked, waited };
}

const LIST = 'https://prices.example.com/list';

describe('the list of an address', () => {
  it('is of this address alone, over HTTPS', async () => {
    const { ask, asked } = asking(new Response('{"a": 1}'));
    expect(await ask.json(LIST)).toEqual({ a: 1 });
    expect(asked[0]?.redirect).toBe('error');
    await expect(ask.json('http://prices.example.com/list')).rejects.toThrow('is not https');
  });

  it('is asked for once more if there were too many calls', async () => {
    const busy = () => new Response('', { status: 429 });
    const { ask, waited } = asking(busy(), new Response('[]'), busy(), busy());
    expect(await ask.json(LIST)).toEqual([]);
    expect(waited).toHaveLength(1);
    await expect(ask.json(LIST)).rejects.toThrow('prices.example.com: HTTP 429');
  });

  it('comes in pieces, and has a largest size', async () => {
    const { ask } = asking(new Response('a,b\n'), new Response('x'.repeat(65 * 1024 * 1024)));
    let text = '';
    for await (const piece of ask.text(LIST)) text += piece;
    expect(text).toBe('a,b\n');
    await expect(ask.json(LIST)).rejects.toThrow('has more than 67108864 bytes');
  });
});
