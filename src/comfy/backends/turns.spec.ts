import { NEVER, of } from 'rxjs';
import { expect, it } from 'vitest';
import { Turns } from './turns.js';

function latch(): { done: Promise<void>; open: () => void } {
  let open = () => {};
  const done = new Promise<void>((resolve) => (open = resolve));
  return { done, open };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

it('starts a run when the files of the one before are safe', async () => {
  const turns = new Turns();
  const [a, b] = [latch(), latch()];
  const seen: string[] = [];
  turns.take(of('a'), a.done).subscribe((name) => seen.push(name));
  turns.take(of('b'), b.done).subscribe((name) => seen.push(name));
  await settle();
  expect(seen).toEqual(['a']);
  a.open();
  await settle();
  expect(seen).toEqual(['a', 'b']);
});

it('does not wait for one that has given its turn up', async () => {
  const turns = new Turns();
  const [a, b, c] = [latch(), latch(), latch()];
  const seen: string[] = [];
  turns.take(of('a'), a.done).subscribe((name) => seen.push(name));
  const waiting = turns.take(NEVER, b.done).subscribe();
  turns.take(of('c'), c.done).subscribe((name) => seen.push(name));
  waiting.unsubscribe();
  a.open();
  await settle();
  expect(seen).toEqual(['a', 'c']);
});

it('has others wait for one that runs already', async () => {
  const turns = new Turns();
  const [a, b, c] = [latch(), latch(), latch()];
  const seen: string[] = [];
  turns.take(of('a'), a.done).subscribe((name) => seen.push(name));
  turns.take(of('adopted'), b.done, false).subscribe((name) => seen.push(name));
  turns.take(of('c'), c.done).subscribe((name) => seen.push(name));
  await settle();
  expect(seen).toEqual(['adopted', 'a']);
  a.open();
  b.open();
  await settle();
  expect(seen).toEqual(['adopted', 'a', 'c']);
});
