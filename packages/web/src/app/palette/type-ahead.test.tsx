import { expect, it } from 'vitest';
import { collectKeys, NOTHING_TYPED, withKey } from './type-ahead.ts';

const press = (key: string, more: object = {}) =>
  new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more });

it('keeps text and the keys for the list, and leaves combinations alone', () => {
  const typed = ['r', 'x', 'Backspace', 'u', 'Enter'].reduce(
    (so, key) => withKey(so, press(key)) ?? so,
    NOTHING_TYPED,
  );
  expect(typed).toEqual({ text: 'ru', keys: ['Enter'] });
  expect(withKey(typed, press('k', { ctrlKey: true }))).toBeNull();
  expect(withKey(typed, press('F5'))).toBeNull();
});

it('keeps keys from the page until it ends', () => {
  const seen: string[] = [];
  const onKey = ({ key }: KeyboardEvent) => void seen.push(key);
  document.addEventListener('keydown', onKey);
  const end = collectKeys(document);
  document.body.dispatchEvent(press('s'));
  expect(end().text).toBe('s');
  document.body.dispatchEvent(press('t'));
  document.removeEventListener('keydown', onKey);
  expect(seen).toEqual(['t']);
});
