/** Random numbers from 0 to 1 that are the same for the same seed (mulberry32), so that all contestants get the same jobs. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** An index below `count`, the first one the most popular: the n-th comes a n-th as often (Zipf). */
export function zipf(count: number, random: () => number): number {
  const weights = Array.from({ length: count }, (_, index) => 1 / (index + 1));
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  return Math.max(
    0,
    weights.findIndex((weight) => (left -= weight) < 0),
  );
}

/** Time to the next arrival where `perMs` arrive in a millisecond and know nothing of each other (Poisson), ms. */
export function nextArrival(perMs: number, random: () => number): number {
  return -Math.log(1 - random()) / perMs;
}
