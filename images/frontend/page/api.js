/** An answer other than success; `code` is the contract's error code. */
export class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function call(path, { token, body, method = body === undefined ? 'GET' : 'POST' } = {}) {
  const headers = {};
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response;
  try {
    response = await fetch(`api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new ApiError('unreachable', 'The server can’t be reached.');
  }
  const answer = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw new ApiError(answer.error, answer.message);
  return answer;
}

export const signup = (email, password) => call('auth/signup', { body: { email, password } });
export const login = (email, password) => call('auth/login', { body: { email, password } });
export const logout = (token) => call('auth/logout', { token, method: 'POST' });
export const listThreads = async (token) => (await call('threads', { token })).threads;
export const createThread = async (token, title) =>
  (await call('threads', { token, body: { title } })).threadId;
export const findRun = (token, runId) => call(`runs/${runId}`, { token });
export const listMessages = async (token, threadId) =>
  (await call(`threads/${threadId}/messages`, { token })).messages;
