import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';

/** How long work tells the person in front of the terminal what it does. Several steps may run at once. */
export interface Progress {
  step(title: string): Step;
  /** One line that stays. */
  note(line: string): void;
}

export interface Step {
  /** What the step does right now, or how far it is. */
  update(detail: string): void;
  done(detail?: string): void;
  fail(detail: string): void;
}

type Output = NodeJS.WritableStream & { isTTY?: boolean };

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 100;
const quietMs = 10_000;

/** Live lines on a terminal; elsewhere plain lines: one at start and end of a step, an update at most every 10 s. */
export function terminalProgress(output: Output = process.stderr): Progress {
  return output.isTTY === true ? liveProgress(output) : plainProgress(output);
}

const withDetail = (title: string, detail?: string): string =>
  detail === undefined || detail === '' ? title : `${title}: ${detail}`;

function elapsed(sinceMs: number): string {
  const seconds = (performance.now() - sinceMs) / 1000;
  return seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${String(Math.floor(seconds / 60))} min ${(seconds % 60).toFixed(0)} s`;
}

function plainProgress(output: Output): Progress {
  const line = (text: string): void => {
    output.write(`${text}\n`);
  };
  return {
    note: line,
    step(title) {
      const startedMs = performance.now();
      let lastLineMs = startedMs;
      line(`… ${title}`);
      return {
        update(detail) {
          if (performance.now() - lastLineMs < quietMs) return;
          lastLineMs = performance.now();
          line(`  ${withDetail(title, detail)}`);
        },
        done: (detail) => {
          line(`✔ ${withDetail(title, detail)} (${elapsed(startedMs)})`);
        },
        fail: (detail) => {
          line(`✖ ${withDetail(title, detail)} (${elapsed(startedMs)})`);
        },
      };
    },
  };
}

function liveProgress(output: Output): Progress {
  const live = createLogUpdate(output, { showCursor: true });
  const running = new Set<{ title: string; detail: string; startedMs: number }>();
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;

  const render = (): void => {
    const spinner = styleText('cyan', frames[frame % frames.length] ?? '');
    live(
      [...running]
        .map(
          ({ title, detail, startedMs }) =>
            `${spinner} ${withDetail(title, detail)} ${styleText('dim', elapsed(startedMs))}`,
        )
        .join('\n'),
    );
  };
  const note = (text: string): void => {
    live.clear();
    output.write(`${text}\n`);
    if (running.size > 0) render();
  };
  const animate = (): void => {
    timer ??= setInterval(() => {
      frame += 1;
      render();
    }, frameMs).unref();
  };
  const rest = (): void => {
    if (running.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    live.clear();
  };

  return {
    note,
    step(title) {
      const entry = { title, detail: '', startedMs: performance.now() };
      running.add(entry);
      animate();
      render();
      const end = (mark: string, detail?: string): void => {
        if (!running.delete(entry)) return;
        rest();
        note(`${mark} ${withDetail(title, detail)} ${styleText('dim', `(${elapsed(entry.startedMs)})`)}`);
      };
      return {
        update(detail) {
          entry.detail = detail;
        },
        done: (detail) => {
          end(styleText('green', '✔'), detail);
        },
        fail: (detail) => {
          end(styleText('red', '✖'), detail);
        },
      };
    },
  };
}
