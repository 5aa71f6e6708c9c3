const shownEvents = 500;

/** The element with this `data-testid`. */
export const element = (testId) => document.querySelector(`[data-testid="${testId}"]`);

function create(tag, properties, ...children) {
  const { testId, data, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  if (testId !== undefined) node.dataset.testid = testId;
  Object.assign(node.dataset, data);
  node.append(...children);
  return node;
}

/** Shows a text, or hides the element when there is none. */
export function showText(node, text) {
  node.textContent = text ?? '';
  node.hidden = !text;
}

export function showThreads(threads, selectedId, onSelect) {
  const items = threads.map(({ id, title, createdAt }) =>
    create(
      'li',
      {},
      create(
        'button',
        {
          testId: 'thread',
          type: 'button',
          data: { threadId: id },
          ariaCurrent: String(id === selectedId),
          onclick: () => onSelect(id),
        },
        create('span', { className: 'title', textContent: title }),
        create('time', { dateTime: createdAt, textContent: timeOf(createdAt) }),
      ),
    ),
  );
  element('threads').replaceChildren(...items);
}

export function showMessages(messages) {
  const list = element('messages');
  const items = messages.map(({ id, role, agent, content, createdAt }) =>
    create(
      'li',
      { testId: `message-${role}`, className: role, data: { messageId: id } },
      create('p', { textContent: content }),
      create('small', { textContent: `${role === 'user' ? 'You' : agent} · ${timeOf(createdAt)}` }),
    ),
  );
  list.replaceChildren(...items);
  list.lastElementChild?.scrollIntoView({ block: 'end' });
}

export function clearEvents() {
  element('events').replaceChildren();
}

export function addEvent({ type, seq, agent, data }) {
  const list = element('events');
  list.append(
    create(
      'li',
      { testId: 'event', className: type, data: { type, seq: String(seq) } },
      create('span', { className: 'seq', textContent: seq }),
      create('span', { className: 'type', textContent: type }),
      create('span', { className: 'agent', textContent: agent }),
      create('span', { className: 'detail', textContent: detailOf(type, data) }),
    ),
  );
  if (list.childElementCount > shownEvents) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
}

function detailOf(type, data) {
  switch (type) {
    case 'agent_started':
      return data.input;
    case 'agent_thinking':
      return `step ${data.step}`;
    case 'tool_executing':
      return `${data.tool} ${JSON.stringify(data.arguments)}`;
    case 'tool_completed':
      return `${data.tool} → ${data.ok ? JSON.stringify(data.result) : data.error}`;
    case 'agent_handoff':
      return `${data.from} → ${data.to}`;
    case 'agent_completed':
      return data.content;
    case 'agent_failed':
      return data.message;
    default:
      return '';
  }
}

function timeOf(isoTime) {
  return new Date(isoTime).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}
