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
