import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import pb from '@pulumi/pulumi/proto/provider_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import type { Checked } from './check.js';
import type { Change } from './diff.js';
import { warnUser } from './engine-log.js';
import * as operations from './operations.js';
import { struct, unary, values, withFields, type ProviderService } from './protocol.js';
import type { Provider } from './provider.js';
import type { Call } from './resource.js';

/** When the engine names no limit for an operation. The official provider's. */
const defaultLimitMs = 20 * 60 * 1000;

/**
 * A provider in Pulumi's protocol.
 * @param engineAddress Where Pulumi's engine listens, for a plugin: to a provider that it attaches itself to it says so.
 */
export function providerService<Client extends object>(
  provider: Provider<Client>,
  engineAddress = '',
): ProviderService {
  const { name, version, wording } = provider;
  const cancelled = new AbortController();
  let connected: Client | undefined;
  let engine = engineAddress;

  const cancel = (): void => {
    cancelled.abort(new Error('the operation was cancelled'));
  };
  const client = (): Client => {
    if (connected === undefined) throw new Error('the provider is used before it is configured');
    return connected;
  };
  const context = (urn: string, limitSeconds: number): Call & Client => {
    const limitMs = limitSeconds > 0 ? limitSeconds * 1000 : defaultLimitMs;
    return {
      ...client(),
      signal: AbortSignal.any([cancelled.signal, AbortSignal.timeout(limitMs)]),
      warn: (message) => warnUser(engine, urn, message),
    };
  };

  const handlers = {
    attach: unary((request: pluginPb.PluginAttach) => {
      engine = request.getAddress();
      return new emptyPb.Empty();
    }),

    getPluginInfo: unary(() => withFields(new pluginPb.PluginInfo(), (info) => info.setVersion(version))),

    getSchema: unary(() =>
      withFields(new pb.GetSchemaResponse(), (response) =>
        response.setSchema(JSON.stringify({ name, version })),
      ),
    ),

    checkConfig: unary((request: pb.CheckRequest) =>
      checkResponse(provider.checkConfig(values(request.getNews()))),
    ),

    diffConfig: unary((request: pb.DiffRequest) => {
      const [olds, news] = [values(request.getOlds()), values(request.getNews())];
      const changed = provider.settings.filter((setting) => olds[setting] !== news[setting]);
      const changes = changed.map((setting) => [setting, { kind: 'update', replace: false }] as const);
      return diffResponse({ changes: new Map(changes), deleteBeforeReplace: false });
    }),

    configure: unary(async (request: pb.ConfigureRequest) => {
      connected = await provider.connect(values(request.getArgs()));
      // Secrets are not accepted: the engine unwraps them before a call, and wraps the results again.
      return withFields(new pb.ConfigureResponse(), (response) => response.setSupportspreview(true));
    }),

    check: unary((request: pb.CheckRequest) =>
      checkResponse(
        operations.check(
          provider,
          request.getUrn(),
          values(request.getOlds()),
          values(request.getNews()),
          request.getRandomseed_asU8(),
        ),
      ),
    ),

    diff: unary((request: pb.DiffRequest) =>
      diffResponse(
        operations.diff(
          provider,
          request.getUrn(),
          values(request.getOlds()),
          values(request.getNews()),
          request.getIgnorechangesList(),
        ),
      ),
    ),

    create: unary(async (request: pb.CreateRequest) => {
      const [urn, inputs] = [request.getUrn(), values(request.getProperties())];
      const made = request.getPreview()
        ? { id: '', state: operations.previewCreate(provider, urn, inputs) }
        : await operations.create(provider, context(request.getUrn(), request.getTimeout()), urn, inputs);
      return withFields(new pb.CreateResponse(), (response) => {
        response.setId(made.id);
        response.setProperties(struct(made.state));
      });
    }),

    read: unary(async (request: pb.ReadRequest) => {
      const found = await operations.read(
        provider,
        context(request.getUrn(), request.getTimeout()),
        request.getUrn(),
        {
          id: request.getId(),
          state: values(request.getProperties()),
          inputs: values(request.getInputs()),
        },
      );
      return withFields(new pb.ReadResponse(), (response) => {
        if (found === undefined) return;
        response.setId(found.id);
        response.setProperties(struct(found.state));
        response.setInputs(struct(found.inputs));
      });
    }),

    update: unary(async (request: pb.UpdateRequest) => {
      const [urn, state, inputs] = [request.getUrn(), values(request.getOlds()), values(request.getNews())];
      const updated = request.getPreview()
        ? operations.previewUpdate(provider, urn, state, inputs)
        : await operations.update(
            provider,
            context(request.getUrn(), request.getTimeout()),
            urn,
            request.getId(),
            state,
            inputs,
          );
      return withFields(new pb.UpdateResponse(), (response) => response.setProperties(struct(updated)));
    }),

    delete: unary(async (request: pb.DeleteRequest) => {
      const state = values(request.getProperties());
      await operations.remove(
        provider,
        context(request.getUrn(), request.getTimeout()),
        request.getUrn(),
        request.getId(),
        state,
      );
      return new emptyPb.Empty();
    }),

    cancel: unary(() => {
      cancel();
      return new emptyPb.Empty();
    }),

    invoke: unary(async (request: pb.InvokeRequest) => {
      const called = provider.functions.get(request.getTok());
      if (called === undefined) {
        throw new Error(`${wording.title} has no function ${request.getTok()}: ${wording.remedy}`);
      }
      const result = await called(client(), values(request.getArgs()));
      return withFields(new pb.InvokeResponse(), (response) => response.setReturn(struct(result)));
    }),
  };
  return { handlers, cancel };
}

function checkResponse({ inputs, problems }: Checked): pb.CheckResponse {
  return withFields(new pb.CheckResponse(), (response) => {
    response.setInputs(struct(inputs));
    // Each names its property itself: the engine would show the property's value, which may be secret.
    for (const problem of problems) response.addFailures().setReason(problem);
  });
}

const diffKinds: Record<Change['kind'], [inPlace: pb.PropertyDiff.Kind, replace: pb.PropertyDiff.Kind]> = {
  add: [pb.PropertyDiff.Kind.ADD, pb.PropertyDiff.Kind.ADD_REPLACE],
  update: [pb.PropertyDiff.Kind.UPDATE, pb.PropertyDiff.Kind.UPDATE_REPLACE],
  delete: [pb.PropertyDiff.Kind.DELETE, pb.PropertyDiff.Kind.DELETE_REPLACE],
};

function diffResponse({ changes, deleteBeforeReplace }: operations.Difference): pb.DiffResponse {
  const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;
  return withFields(new pb.DiffResponse(), (response) => {
    response.setChanges(changes.size === 0 ? DIFF_NONE : DIFF_SOME);
    response.setDiffsList([...changes.keys()]);
    response.setReplacesList([...changes].filter(([, { replace }]) => replace).map(([name]) => name));
    response.setDeletebeforereplace(deleteBeforeReplace);
    response.setHasdetaileddiff(true);
    for (const [name, { kind, replace }] of changes) {
      const [inPlace, replacing] = diffKinds[kind];
      const detail = withFields(new pb.PropertyDiff(), (diff) => diff.setKind(replace ? replacing : inPlace));
      response.getDetaileddiffMap().set(name, detail);
    }
  });
}
