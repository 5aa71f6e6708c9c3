import grpc from '@grpc/grpc-js';
import structPb from 'google-protobuf/google/protobuf/struct_pb.js';
import { reasonOf } from './errors.js';
import type { Values } from './values.js';

export type ProviderMethod = grpc.handleUnaryCall<never, unknown>;

/** A provider in Pulumi's protocol, free of where it is served. */
export interface ProviderService {
  /** By method. Those that are not here answer "unimplemented", which Pulumi's engine understands. */
  handlers: Readonly<Record<string, ProviderMethod>>;
  /** Ends the waits of its operations. */
  cancel: () => void;
}

/** A method: what it throws is the error that Pulumi shows. */
export function unary<Request, Response>(
  handle: (request: Request) => Response | Promise<Response>,
): grpc.handleUnaryCall<Request, Response> {
  return ({ request }, callback) => {
    Promise.resolve()
      .then(() => handle(request))
      .then(
        (response) => {
          callback(null, response);
        },
        (error: unknown) => {
          callback({ code: grpc.status.UNKNOWN, message: reasonOf(error) });
        },
      );
  };
}

export function withFields<Message>(message: Message, set: (message: Message) => unknown): Message {
  set(message);
  return message;
}

export const values = (struct: structPb.Struct | undefined): Values => struct?.toJavaScript() ?? {};
export const struct = (fields: Values): structPb.Struct => structPb.Struct.fromJavaScript(fields);
