import { PerformanceObserver } from 'node:perf_hooks';
import grpc from '@grpc/grpc-js';
import * as pulumi from '@pulumi/pulumi';
import * as automation from '@pulumi/pulumi/automation/server.js';
import languageRpc from '@pulumi/pulumi/proto/language_grpc_pb.js';
import languagePb from '@pulumi/pulumi/proto/language_pb.js';
import { listenOnLoopback } from '../engine/loopback.js';
import { mayStartMessage, type HostMessage } from './host-messages.js';

type Program = (mayStart: Promise<void>) => Promise<Record<string, unknown>>;

type Run = grpc.handleUnaryCall<languagePb.RunRequest, languagePb.RunResponse>;

/** What the Automation API serves an inline program with. The package's types leave it out. */
const { LanguageServer } = automation as unknown as {
  LanguageServer: new (program: () => ReturnType<Program>) => { run: Run };
};

/** The SDK waits for outputs that never come when an `apply` has failed: then the run is over, its error told. */
class EndingServer extends LanguageServer {
  override run: Run = (call, callback) => {
    let answered = false;
    const answer: typeof callback = (...result) => {
      if (answered) return;
      answered = true;
      callback(...result);
    };
    const onError = (): void => {
      // Messages go to the engine one after the other: after this one, that of the error is there.
      void pulumi.log.debug('the program has failed').finally(() => {
        const response = new languagePb.RunResponse();
        response.setBail(true);
        answer(null, response);
      });
    };
    process.on('unhandledRejection', onError).on('uncaughtException', onError);
    super.run(call, answer);
  };
}

const tell = (message: HostMessage): void => void process.send?.(message);

/**
 * Serves one `up` as the Automation API would serve an inline program, but in a process of its own, which may be
 * there before the CLI: the CLI's language host loads the SDK file by file, after the CLI has begun. It ends with the
 * process that started it.
 */
export function serve(program: Program): void {
  const tellOf = (name: string, startTime: number): void => {
    tell({ mark: { name, atMs: performance.timeOrigin + startTime } });
  };
  new PerformanceObserver((list) => {
    for (const { name, startTime } of list.getEntries()) tellOf(name, startTime);
  }).observe({ entryTypes: ['mark'] });
  tellOf('program: process started', 0);
  tellOf('program: loaded', performance.now());
  const mayStart = new Promise<void>((resolve) => {
    process.on('message', (message) => {
      if (message === mayStartMessage) resolve();
    });
  });
  const runtime = new EndingServer(async () => {
    tellOf('program: asked for by the CLI', performance.now());
    const outputs = await program(mayStart);
    pulumi.output(outputs).apply((values) => {
      tell({ outputs: values });
    });
    return outputs;
  });
  const server = new grpc.Server();
  server.addService(
    languageRpc.LanguageRuntimeService,
    runtime as unknown as grpc.UntypedServiceImplementation,
  );
  void listenOnLoopback(server).then((port) => {
    tell({ address: `127.0.0.1:${String(port)}` });
  });
  // By itself, so that what is left to do at the end is done: its claim to a subnet is given back.
  process.once('disconnect', () => process.exit());
  process.once('SIGTERM', () => process.exit());
}
