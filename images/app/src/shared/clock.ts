const toleranceMs = 2;
let origin = performance.timeOrigin;

/** Milliseconds since the epoch with fractions. It follows the wall clock when that is set. */
export function epochMs(): number {
  const wall = Date.now();
  const now = origin + performance.now();
  if (Math.abs(now - wall) <= toleranceMs) return now;
  origin += wall - now;
  return wall;
}
