import { describe, expect, it } from 'vitest';
import { requestHeaders, responseHeaders } from './headers.ts';

const sender = { address: '10.0.0.9', encrypted: false, prefix: '/proxy/services/main/web' };

describe('a request on its way to a service', () => {
  it('keeps what the client sent, but for what is of one connection', () => {
    const raw = [
      ...['Host', 'server:3000', 'Authorization', 'Bearer t', 'Connection', 'X-Mine, keep-alive'],
      ...['Keep-Alive', 'timeout=5', 'X-Mine', 'gone', 'Transfer-Encoding', 'chunked'],
      ...['TE', 'trailers', 'Upgrade', 'h2c', 'HTTP2-Settings', 'x', 'Expect', '100-continue'],
      ...['X-Twice', 'a', 'x-twice', 'b', 'Content-Length', '3'],
    ];
    const kept = requestHeaders(raw, sender).slice(0, -8);
    expect(kept).toEqual([
      ...['Host', 'server:3000', 'Authorization', 'Bearer t'],
      ...['X-Twice', 'a', 'x-twice', 'b', 'Content-Length', '3'],
    ]);
  });

  it('says where it came from', () => {
    expect(requestHeaders(['Host', 'server:3000'], sender).slice(2)).toEqual([
      ...['X-Forwarded-For', '10.0.0.9', 'X-Forwarded-Proto', 'http'],
      ...['X-Forwarded-Host', 'server:3000', 'X-Forwarded-Prefix', '/proxy/services/main/web'],
    ]);
  });

  it('says what a proxy before this server has said', () => {
    const raw = [
      ...['Host', 'server:3000', 'x-forwarded-for', '1.2.3.4', 'X-Forwarded-Proto', 'https'],
      ...['X-Forwarded-Host', 'ai.example.com', 'X-Forwarded-Prefix', '/dstack'],
    ];
    const headers = requestHeaders(raw, { ...sender, prefix: '/p' });
    expect(headers.slice(2)).toEqual([
      ...['X-Forwarded-For', '1.2.3.4, 10.0.0.9', 'X-Forwarded-Proto', 'https'],
      ...['X-Forwarded-Host', 'ai.example.com', 'X-Forwarded-Prefix', '/dstack/p'],
    ]);
  });
});

describe('an answer of a service', () => {
  const answer = (raw: string[], prefix: string | null = '/p') =>
    responseHeaders(raw, prefix, 'server:3000');

  it('keeps cookies apart and loses what this server says itself', () => {
    const raw = ['Set-Cookie', 'a=1', 'Date', 'x', 'Server', 'y', 'Set-Cookie', 'b=2'];
    expect(answer(raw)).toEqual(['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']);
  });

  it.each([
    ['/login?next=/', '/p/login?next=/'],
    ['http://server:3000/login', 'http://server:3000/p/login'],
    ['/p/login', '/p/login'],
    ['/p', '/p'],
    ['/pages', '/p/pages'],
    ['login', 'login'],
    ['//elsewhere/login', '//elsewhere/login'],
    ['https://elsewhere/login', 'https://elsewhere/login'],
    ['?page=2', '?page=2'],
  ])('that redirects to %s leads to %s', (from, to) => {
    expect(answer(['Location', from])).toEqual(['Location', to]);
    expect(answer(['Location', from], null)).toEqual(['Location', from]);
  });
});
