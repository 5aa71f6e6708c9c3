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
          callback({ code: grpc.status.UNKNOWN, message: sendable(reasonOf(error)) });
        },
      )
      .catch(() => {
        callback({ code: grpc.status.INTERNAL, message: 'the answer, or the error, can not be sent' });
      });
  };
}

/** An error is a header, at most 64 KiB of it, with up to nine characters for one of the text's. */
const longestError = 6_000;

/** What matters stands first, and what a container wrote last stands last. */
function sendable(message: string): string {
  const half = longestError / 2;
  const text =
    message.length <= longestError
      ? message
      : `${message.slice(0, half)}\n[${String(message.length - longestError)} characters left out]\n${message.slice(-half)}`;
  return text.toWellFormed();
}

export function withFields<Message>(message: Message, set: (message: Message) => unknown): Message {
  set(message);
  return message;
}

export const values = (struct: structPb.Struct | undefined): Values => struct?.toJavaScript() ?? {};
export const struct = (fields: Values): structPb.Struct => structPb.Struct.fromJavaScript(fields);
