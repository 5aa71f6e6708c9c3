/** An answer other than success that the contract names. `code` is its `error`. */
export class ApiError extends Error {
  override readonly name: string = 'ApiError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const titles = { postgres: 'PostgreSQL', redis: 'Redis', clickhouse: 'ClickHouse' };
type Dependency = keyof typeof titles;

/** `unavailable`: no connection, or no answer in time. `full`: it answers, but has no room for what is written. */
export type DependencyState = 'unavailable' | 'full';
export type DependencyCode = `${Dependency}_${DependencyState}`;

/** A service that this one needs doesn't do its part. The answer to a client is 503. */
export class DependencyError extends ApiError {
  override readonly name = 'DependencyError';
  declare readonly code: DependencyCode;
  constructor(
    dependency: Dependency,
    readonly state: DependencyState,
    options?: ErrorOptions,
  ) {
    const problem = state === 'full' ? 'has no room left' : 'does not answer';
    super(503, `${dependency}_${state}`, `${titles[dependency]} ${problem}.`, options);
  }
}
