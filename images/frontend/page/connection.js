const firstDelayMs = 250;
const longestDelayMs = 5000;
const unauthorized = 4401;

/**
 * A WebSocket that comes back by itself. After every reconnect it subscribes again and asks for the events
 * after the last one it saw.
 * @param handlers `onState(state)`, `onEvent(event)`, `onFrame(frame)` for all other frames, and
 *   `onRefused(code)` when the token is no longer good.
 */
export function connect(token, { onState, onEvent, onFrame, onRefused }) {
  let socket;
  let timer;
  let delayMs = firstDelayMs;
  let ready = false;
  let stopped = false;
  let thread;

  const send = (frame) => socket.send(JSON.stringify(frame));
  const subscribe = () => send({ type: 'subscribe', threadId: thread.id, afterSeq: thread.lastSeq });

  function open() {
    socket = new WebSocket(new URL('ws', location.href.replace(/^http/, 'ws')));
    socket.addEventListener('open', () => send({ type: 'authenticate', token }));
    socket.addEventListener('message', ({ data }) => receive(JSON.parse(data)));
    socket.addEventListener('close', ({ code, reason }) => closed(code, reason));
  }

  function receive(frame) {
    if (frame.type === 'ready') {
      ready = true;
      delayMs = firstDelayMs;
      onState('connected');
      if (thread !== undefined) subscribe();
    } else if (frame.seq === undefined) {
      onFrame(frame);
    } else if (frame.threadId === thread?.id && frame.seq > thread.lastSeq) {
      thread.lastSeq = frame.seq;
      onEvent(frame);
    }
  }

  function closed(code, reason) {
    ready = false;
    if (stopped) return;
    if (code === unauthorized) {
      stop();
      onRefused(reason);
      return;
    }
    onState('reconnecting');
    timer = setTimeout(open, delayMs * (0.5 + Math.random() / 2));
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  }

  function stop() {
    stopped = true;
    clearTimeout(timer);
    socket.close();
    onState('closed');
  }

  onState('reconnecting');
  open();
  return {
    /** Follows one thread, from its first event on. */
    follow(threadId) {
      thread = { id: threadId, lastSeq: 0 };
      if (ready) subscribe();
    },
    sendMessage(threadId, content, agent) {
      send({ type: 'message', threadId, content, agent });
    },
    stop,
  };
}
