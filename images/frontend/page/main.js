import * as api from './api.js';
import { connect } from './connection.js';
import { addEvent, clearEvents, element, showMessages, showText, showThreads } from './view.js';

const sessionKey = 'session';
/** Their events begin and end a run; the other agents are steps of a pipeline. */
const topAgents = new Set(['assistant', 'write-review-refine']);
const endOfRun = new Set(['agent_completed', 'agent_failed']);

const byId = (id) => document.getElementById(id);
const composer = byId('composer');
const message = element('message');

/** `{token, email}` while somebody is logged in. */
let session;
let connection;
let connected = false;
let threadId;
let running = false;
/** The thread's newest run. */
let runId;
/** The last event that happened before the thread was subscribed to. */
let historyEnd = 0;
/** Sent, but not accepted yet. */
let pending = false;
/** The reading of messages under way, and whether something happened since it began. */
let refreshing;
let stale = false;

function refreshControls() {
  element('send').disabled = !connected || threadId === undefined || running || pending;
  byId('working').hidden = !running;
  byId('empty').hidden = threadId !== undefined;
  composer.hidden = threadId === undefined;
}

/** Shows the error of `work` in `place`. A session that has ended leads back to the login. */
async function attempt(place, work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    if (session !== undefined && error.code.match(/^(token|session)_/)) leave(error.code);
    else showText(place, error.message);
  }
}

const runError = element('run-error');
const attemptInApp = (work) => attempt(runError, work);

/** As `attemptInApp`, for what the user asked for: it takes an older error away. */
function onClick(work) {
  showText(runError, undefined);
  return attemptInApp(work);
}

async function enter({ token, email }) {
  session = { token, email };
  sessionStorage.setItem(sessionKey, JSON.stringify(session));
  byId('welcome').hidden = true;
  byId('app').hidden = false;
  element('user').textContent = email;
  connection = connect(token, { onState, onEvent, onFrame, onRefused: leave });
  refreshControls();
  await attemptInApp(async () => {
    const [newest] = await refreshThreads();
    if (newest !== undefined && threadId === undefined) await select(newest.id);
  });
}

/** @param code Why the server ended the session; undefined after a logout. */
function leave(code) {
  sessionStorage.removeItem(sessionKey);
  connection?.stop();
  session = threadId = connection = undefined;
  running = pending = false;
  byId('app').hidden = true;
  byId('welcome').hidden = false;
  element('user').textContent = '';
  showMessages([]);
  clearEvents();
  showText(element('login-error'), code && 'Your session has ended. Please log in again.');
}

async function refreshThreads() {
  const threads = await api.listThreads(session.token);
  showThreads(threads, threadId, (id) => onClick(() => select(id)));
  return threads;
}

async function select(id) {
  threadId = id;
  running = pending = false;
  showText(runError, undefined);
  clearEvents();
  showMessages([]);
  refreshControls();
  connection.follow(id);
  await Promise.all([refreshThreads(), refreshMessages()]);
  message.focus();
}

/** Messages are read from the server each time: what is shown is what is stored. */
function refreshMessages() {
  stale = true;
  refreshing ??= readMessages().finally(() => {
    refreshing = undefined;
  });
  return refreshing;
}

async function readMessages() {
  while (stale && threadId !== undefined) {
    stale = false;
    const id = threadId;
    const messages = await api.listMessages(session.token, id);
    if (id === threadId) showMessages(messages);
  }
}

function onState(state) {
  connected = state === 'connected';
  // An answer that was waited for may have got lost with the connection.
  pending = false;
  const node = element('connection');
  node.dataset.state = state;
  node.textContent = state;
  refreshControls();
}

/** A run whose end couldn't be told as an event: what became of it is read from the server. */
async function checkRun() {
  const id = runId;
  const { status, error } = await api.findRun(session.token, id);
  if (id !== runId || !running || status === 'running') return;
  running = false;
  if (status === 'failed') showText(runError, `The agent failed: ${error}`);
  refreshControls();
  await refreshMessages();
}

function onEvent(event) {
  showEvent(event);
  if (running && event.seq === historyEnd) attemptInApp(checkRun);
}

function showEvent(event) {
  addEvent(event);
  byId('working').lastElementChild.textContent = `${event.agent} is at work`;
  if (!topAgents.has(event.agent) || !(event.type === 'agent_started' || endOfRun.has(event.type))) return;
  running = !endOfRun.has(event.type);
  runId = event.runId;
  if (event.type === 'agent_started') showText(runError, undefined);
  if (event.type === 'agent_failed') showText(runError, `The agent failed: ${event.data.message}`);
  attemptInApp(refreshMessages);
  refreshControls();
}

function onFrame(frame) {
  if (frame.threadId !== threadId) return;
  if (frame.type === 'accepted') {
    pending = false;
    running = true;
    runId = frame.runId;
    message.value = '';
    fitMessage();
    attemptInApp(refreshMessages);
  } else if (frame.type === 'subscribed') {
    historyEnd = frame.lastSeq;
    if (running) attemptInApp(checkRun);
  } else if (frame.type === 'error') {
    pending = false;
    showText(runError, frame.message);
  }
  refreshControls();
}

byId('login-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const email = element('email').value.trim();
  const password = element('password').value;
  showText(element('login-error'), undefined);
  attempt(element('login-error'), async () => {
    if (event.submitter?.value === 'signup') await api.signup(email, password);
    const { token } = await api.login(email, password);
    element('password').value = '';
    await enter({ token, email: email.toLowerCase() });
  });
});

byId('logout').addEventListener('click', () =>
  onClick(async () => {
    await api.logout(session.token);
    leave();
  }),
);

element('new-thread').addEventListener('click', () =>
  onClick(async () => {
    const title = `Thread ${element('threads').childElementCount + 1}`;
    await select(await api.createThread(session.token, title));
  }),
);

composer.addEventListener('submit', (event) => {
  event.preventDefault();
  const content = message.value.trim();
  if (content === '' || element('send').disabled) return;
  showText(runError, undefined);
  pending = true;
  connection.sendMessage(threadId, content, element('agent').value);
  refreshControls();
});

message.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.requestSubmit();
});

function fitMessage() {
  message.style.height = 'auto';
  message.style.height = `${message.scrollHeight}px`;
}
message.addEventListener('input', fitMessage);

const stored = sessionStorage.getItem(sessionKey);
if (stored !== null) enter(JSON.parse(stored));
