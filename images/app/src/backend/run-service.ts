import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs } from '../shared/clock.js';
import { DependencyError } from '../shared/errors.js';
import { toApiError } from '../shared/http.js';
import { type Logger } from '../shared/log.js';
import { type Contexts } from './contexts.js';
import { type RunContext } from './engine/agent.js';
import { runAgent, type AgentName } from './engine/agents.js';
import { AgentError, type AgentEvent, type Emit } from './engine/events.js';
import { type ChatMessage, type LlmClient } from './engine/llm-client.js';
import { type Interruption } from './primary.js';
import { type EventRow } from './stores/event-log.js';
import { type EventStream } from './stores/event-stream.js';
import { type AbandonedRun, type Runs } from './stores/runs.js';
import { type Threads } from './stores/threads.js';

/** How much of a thread the LLM is told. */
const historyMessages = 50;
const databasePauseMs = 1000;

export interface RunServiceDependencies {
  runs: Runs;
  threads: Threads;
  contexts: Contexts;
  stream: EventStream;
  logEvent: (row: EventRow) => void;
  llm: LlmClient;
  /** Has a thread's subscribers, of all workers, come again and ask. */
  interrupt: (interruption: Interruption) => void;
  logger: Logger;
  worker: number;
  maxSteps: number;
  maxRevisions: number;
}

interface StartedRun {
  runId: string;
  threadId: string;
  userId: string;
  agent: AgentName;
  content: string;
}

/** Starts runs, whichever transport asked, and connects the execution engine to the stores. */
export function createRunService(dependencies: RunServiceDependencies) {
  const {
    runs,
    threads,
    contexts,
    stream,
    logEvent,
    llm,
    interrupt,
    logger,
    worker,
    maxSteps,
    maxRevisions,
  } = dependencies;
  const active = new Set<Promise<void>>();
  const stopping = new AbortController();
  // Every call to the LLM listens to it, of as many runs as there are.
  setMaxListeners(0, stopping.signal);

  const interruptBy = (threadId: string, error: unknown): void =>
    interrupt({ threadId, code: toApiError(error).code });

  const emitterOf =
    (threadId: string, runId: string, userId: string): Emit =>
    async ({ type, agent, data }: AgentEvent) => {
      const emittedAt = epochMs();
      const seq = await stream.append(threadId, { type, threadId, runId, userId, agent, emittedAt, data });
      logEvent({
        thread_id: threadId,
        run_id: runId,
        user_id: userId,
        agent,
        type,
        seq,
        emitted_at_ms: emittedAt,
        data: JSON.stringify(data),
      });
    };

  async function execute({ runId, threadId, userId, agent, content: input }: StartedRun): Promise<void> {
    const progress = { steps: 0, revisions: 0 };
    const context: RunContext = {
      llm,
      emit: emitterOf(threadId, runId, userId),
      remember: () => contexts.keep(userId, threadId, input),
      tools: { searchMessages: (query) => threads.search(threadId, query, runId) },
      maxSteps,
      maxRevisions,
      signal: stopping.signal,
      progress,
    };
    const history = async (): Promise<ChatMessage[]> => {
      const messages = await threads.messages(threadId, historyMessages);
      return messages.map(({ role, content }) => ({ role, content }));
    };
    await runAgent(context, agent, input, history, {
      completed: ({ content }) => runs.complete(runId, content, progress),
      failed: ({ code }) => storeFailure(threadId, () => runs.fail(runId, code, progress)),
    });
  }

  function launch(started: StartedRun): void {
    const { runId, threadId } = started;
    const run = execute(started)
      .catch((error: unknown) => {
        // Whatever isn't the agent's own error kept the end from being stored or told.
        if (!(error instanceof AgentError)) interruptBy(threadId, error);
        if (isExpected(error))
          logger.info({ runId, threadId, error: error.code, reason: error.message }, 'run failed');
        else logger.error({ runId, threadId, err: error }, 'run failed');
      })
      .finally(() => active.delete(run));
    active.add(run);
  }

  async function tellAbandoned({ id, threadId, userId, agent }: AbandonedRun): Promise<void> {
    const emit = emitterOf(threadId, id, userId);
    const data = { error: 'internal', message: 'The worker of this run died.' };
    try {
      await emit({ type: 'agent_failed', agent, data });
    } catch (error) {
      logger.error({ runId: id, threadId, err: error }, 'end of a dead worker’s run not told');
      interruptBy(threadId, error);
    }
  }

  /** Repeats `work` until it succeeds; its error counts only once the process stops. */
  async function untilDone<T>(work: () => Promise<T>, onFirstFailure: (error: unknown) => void): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (stopping.signal.aborted) throw error;
        if (attempt === 1) onFirstFailure(error);
      }
      await sleep(databasePauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  /** A run that nobody ends would lock its thread: while the database is away, its end waits for it. */
  function storeFailure(threadId: string, store: () => Promise<void>): Promise<void> {
    return untilDone(store, (error) => {
      logger.error({ threadId, err: error }, 'the end of a run waits for the database');
      interruptBy(threadId, error);
    });
  }

  return {
    /** @throws ApiError 404 `thread_not_found`, 409 `run_active`; DependencyError, also before events can't be kept. */
    async start(
      userId: string,
      threadId: string,
      content: string,
      agent: AgentName,
    ): Promise<{ messageId: string; runId: string }> {
      await stream.assertWritable();
      const begun = await runs.begin({ userId, threadId, agent, content, worker });
      // The caller sends its answer first.
      setImmediate(() => launch({ runId: begun.runId, threadId, userId, agent, content }));
      return begun;
    },
    /** Ends the runs that this worker's predecessor left behind, so that their threads are usable again. */
    async recover(): Promise<void> {
      const abandoned = await untilDone(
        () => runs.failAbandoned(worker),
        (error) => logger.error({ err: error }, 'a dead worker’s runs wait for the database'),
      );
      await Promise.all(abandoned.map(tellAbandoned));
    },
    /** Fails the runs under way and waits until that is stored and told. */
    async stop(): Promise<void> {
      stopping.abort(new AgentError('internal', 'The server is stopping.'));
      await Promise.all(active);
    },
  };
}
export type RunService = ReturnType<typeof createRunService>;

/** The LLM's and the limits' errors are part of what agents live with; others are this service's. */
function isExpected(error: unknown): error is AgentError {
  return (
    error instanceof AgentError && error.code !== 'internal' && !(error.cause instanceof DependencyError)
  );
}
