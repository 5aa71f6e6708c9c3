import { createRequire } from 'node:module';
import path from 'node:path';
import { Config } from '@pulumi/pulumi/cmd/dynamic-provider/config.js';
import type { dynamic } from '@pulumi/pulumi';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import pb from '@pulumi/pulumi/proto/provider_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import { struct, unary, values, withFields, type ProviderService } from './protocol.js';
import { isUnknown, plain, textOf, type Values } from './values.js';

/** The property of each dynamic resource that has its provider's code. */
const codeKey = '__provider';

type DynamicProvider = dynamic.ResourceProvider<Values, Values>;

const { DIFF_NONE, DIFF_SOME, DIFF_UNKNOWN } = pb.DiffResponse.DiffChanges;

/**
 * Dynamic resources, as the SDK's own provider has them in a process of its own
 * (`@pulumi/pulumi/cmd/dynamic-provider`). Left out: a resource that fails and is there all the same.
 * @param project the folder whose packages the resources' code may ask for, and the project's name in their settings.
 */
export function dynamicService(project: { folder: string; name: string }): ProviderService {
  const require = createRequire(path.join(project.folder, 'package.json'));
  const known = new Map<string, Promise<DynamicProvider>>();
  let settings: Record<string, string> = {};

  const load = async (code: string): Promise<DynamicProvider> => {
    const exports: { handler?: () => DynamicProvider } = {};
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the program's own code, as Pulumi keeps it in a state
    const run = new Function('exports', 'require', code) as (...scope: [object, NodeJS.Require]) => void;
    run(exports, require);
    if (exports.handler === undefined)
      throw new Error('the code of a dynamic provider has no exports.handler');
    const provider = exports.handler();
    await provider.configure?.({ config: new Config(settings, project.name) });
    return provider;
  };
  const providerOf = async (properties: Values): Promise<DynamicProvider> => {
    const code = textOf(properties[codeKey]);
    const provider = known.get(code) ?? load(code);
    known.set(code, provider);
    return provider;
  };
  const withCode = (properties: Values | undefined, { [codeKey]: code = null }: Values) =>
    struct({ ...properties, [codeKey]: code });

  const handlers = {
    attach: unary(() => new emptyPb.Empty()),
    cancel: unary(() => new emptyPb.Empty()),
    getPluginInfo: unary(() => new pluginPb.PluginInfo()),

    configure: unary((request: pb.ConfigureRequest) => {
      const given = Object.entries(values(request.getArgs())).filter(([key]) => key !== codeKey);
      settings = Object.fromEntries(given.map(([key, value]) => [key, textOf(plain(value))]));
      return new pb.ConfigureResponse();
    }),

    check: unary(async (request: pb.CheckRequest) => {
      const [olds, news] = [values(request.getOlds()), values(request.getNews())];
      const provider = await providerOf(isUnknown(news[codeKey]) ? olds : news);
      const { inputs = news, failures = [] } = (await provider.check?.(olds, news)) ?? {};
      return withFields(new pb.CheckResponse(), (response) => {
        response.setInputs(withCode(inputs, news));
        for (const { property, reason } of failures)
          response.addFailures().setProperty(property).setReason(reason);
      });
    }),

    diff: unary(async (request: pb.DiffRequest) => {
      const [olds, news] = [values(request.getOlds()), values(request.getNews())];
      const provider = await providerOf(isUnknown(news[codeKey]) ? olds : news);
      const found = await provider.diff?.(request.getId(), olds, news);
      return withFields(new pb.DiffResponse(), (response) => {
        if (found === undefined) return;
        const { changes, replaces = [], deleteBeforeReplace = false } = found;
        response.setChanges(changes === undefined ? DIFF_UNKNOWN : changes ? DIFF_SOME : DIFF_NONE);
        response.setReplacesList(replaces);
        response.setDeletebeforereplace(deleteBeforeReplace);
      });
    }),

    create: unary(async (request: pb.CreateRequest) => {
      const inputs = values(request.getProperties());
      const provider = await providerOf(inputs);
      const { id, outs } = await provider.create(inputs);
      return withFields(new pb.CreateResponse(), (response) => {
        response.setId(id);
        response.setProperties(withCode(outs, inputs));
      });
    }),

    read: unary(async (request: pb.ReadRequest) => {
      const state = values(request.getProperties());
      const provider = await providerOf(state);
      const found = await provider.read?.(request.getId(), state);
      return withFields(new pb.ReadResponse(), (response) => {
        if (found === undefined) {
          response.setId(request.getId());
          response.setProperties(request.getProperties());
          return;
        }
        response.setId(found.id ?? '');
        response.setProperties(withCode(found.props, state));
        if (found.inputs !== undefined) response.setInputs(withCode(found.inputs, state));
      });
    }),

    update: unary(async (request: pb.UpdateRequest) => {
      const [olds, news] = [values(request.getOlds()), values(request.getNews())];
      const provider = await providerOf(news);
      const updated = await provider.update?.(request.getId(), olds, news);
      return withFields(new pb.UpdateResponse(), (response) =>
        response.setProperties(withCode(updated?.outs, news)),
      );
    }),

    delete: unary(async (request: pb.DeleteRequest) => {
      const state = values(request.getProperties());
      const provider = await providerOf(state);
      await provider.delete?.(request.getId(), state);
      return new emptyPb.Empty();
    }),
  };
  return { handlers, cancel: () => undefined };
}
