import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { interpolate, substitute } from './interpolate.ts';

const values = { run: { args: '--lr 1' }, env: { USER: 'me' } };

describe('interpolation', () => {
  test.each([
    ['plain', 'plain'],
    ['train ${{ run.args }}', 'train --lr 1'],
    ['${{run.args}}${{ env.USER }}', '--lr 1me'],
    ['echo $$', 'echo $'],
    ['$${{ run.args }}', '${{ run.args }}'],
    ['$X $$', '$X $$'],
    ['a $$b $$c $d $$e', 'a $b $c $d $$e'],
    ['$X $$ ${{ run.args }} $$', '$X $$ --lr 1 $'],
    ['${{ secrets.TOKEN }}', '${{ secrets.TOKEN }}'],
    ['${{ groups[0].nodes[1].IP_ADDRESS }}', '${{ groups[0].nodes[1].IP_ADDRESS }}'],
    ['cost: 5$', 'cost: 5$'],
  ])('%j', (text, expected) => {
    expect(interpolate(text, values, ['secrets', 'groups'])).toMatchObject({
      ok: true,
      text: expected,
    });
  });

  test.each([
    ['${{ run.args', "without a closing '}}'"],
    ['${{ a-b.c }}', 'not a name'],
    ['${{ run }}', 'not a name'],
    ['${{ run.a.b }}', 'not a name'],
    ['${{ 1run.args }}', 'not a name'],
    ['${{ }}', 'not a name'],
  ])('%j is refused', (text, words) => {
    const result = interpolate(text, values);
    expect(result).toMatchObject({ ok: false, missing: [] });
    expect(!result.ok && result.error).toContain(words);
  });

  test('replaced names are reported, kept names are not', () => {
    const text = '${{ env.USER }} ${{ secrets.TOKEN }} ${{ run.args }} $${{ run.args }}';
    expect(interpolate(text, values, ['secrets'])).toMatchObject({
      used: ['env.USER', 'run.args'],
    });
  });

  test('names without a value are reported together', () => {
    expect(interpolate('${{ run.x }} ${{ run.args }} ${{ env.Y }}', values)).toMatchObject({
      ok: false,
      missing: ['run.x', 'env.Y'],
    });
  });

  test('a property that every object has is not a value', () => {
    expect(interpolate('${{ run.constructor }}', values)).toMatchObject({ ok: false });
    expect(interpolate('${{ __proto__.x }}', values)).toMatchObject({ ok: false });
  });

  test('a value is not scanned again', () => {
    const tricky = { run: { args: '${{ env.USER }} $$' } };
    expect(interpolate('${{ run.args }}', tricky)).toMatchObject({
      ok: true,
      text: '${{ env.USER }} $$',
    });
  });

  test('text without a dollar sign is unchanged', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('$')),
        (text) => {
          expect(interpolate(text, {})).toMatchObject({ ok: true, text });
        },
      ),
    );
  });

  test('a caller may decide the replacement of each name', () => {
    const result = substitute('a ${{ groups[1].nodes[0].IP_ADDRESS }} ${{ x.y }}', (name) =>
      name.startsWith('groups[') ? { text: '10.0.0.1' } : 'keep',
    );
    expect(result).toMatchObject({ ok: true, text: 'a 10.0.0.1 ${{ x.y }}' });
  });
});
