import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FrameGaps } from '../../../lib/model';

/** Counters one second apart; a number with a time of its own is a pair. */
function lostAfter(...frames: (number | readonly [number, number] | 'join')[]): number {
  const gaps = new FrameGaps();
  frames.forEach((frame, index) => {
    if (frame === 'join') gaps.joined(index * 1_000);
    else if (typeof frame === 'number') gaps.accept(frame, index * 1_000);
    else gaps.accept(frame[0], frame[1]);
  });
  return gaps.lost;
}

test('gaps in the counter are lost frames, from the first one heard on', () => {
  assert.equal(lostAfter(), 0);
  assert.equal(lostAfter(700), 0);
  assert.equal(lostAfter(1, 2, 3), 0);
  assert.equal(lostAfter(1, 4, 5, 7), 3);
});

test('the same frame again is no news', () => {
  assert.equal(lostAfter(5, 5, 5, 6), 0);
});

test('frames that come late fill their gap, once', () => {
  assert.equal(lostAfter(1, 5, [3, 500]), 2);
  assert.equal(lostAfter(1, 5, [3, 500], [3, 500]), 2);
  assert.equal(lostAfter(1, 5, [2, 500], [3, 500], [4, 500]), 0);
  assert.equal(lostAfter(1, 5, [4, 1_000]), 2, 'at the same instant');
  assert.equal(lostAfter(10, [4, -5_000], 11), 0, 'sent before the first that was heard');
});

test('a device that starts again or joins counts anew', () => {
  assert.equal(lostAfter(100, 102, 0, 1), 1);
  assert.equal(lostAfter(100, 'join', 150, 151), 0);
  assert.equal(lostAfter(100, 'join', 3, [101, 500], 4), 0, 'a late one of the count before');
  const gaps = new FrameGaps();
  gaps.accept(1, 1_000);
  gaps.joined(500);
  gaps.accept(3, 2_000);
  assert.equal(gaps.lost, 1, 'a join that is told late changes nothing');
});

test('a jump that no network accepts is another count', () => {
  assert.equal(lostAfter(1, 20_000, 20_001), 0);
  assert.equal(lostAfter(1, 16_385), 16_383);
});

test('what is no counter is ignored', () => {
  assert.equal(lostAfter(1, -1, 1.5, Number.NaN, 2 ** 32, 2), 0);
});

test('whatever the order in which all frames come, none is lost', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(40), { minLength: 1 }), (order) => {
      const gaps = new FrameGaps();
      const first = Math.min(...order);
      const last = Math.max(...order);
      gaps.accept(first, first);
      gaps.accept(last, last);
      for (const counter of order) gaps.accept(counter, counter);
      assert.equal(gaps.lost, last - first + 1 - new Set(order).size);
    }),
  );
});
