import * as pulumi from '@pulumi/pulumi';

/**
 * A dynamic resource whose provider is code as text, which runs outside the program, where Pulumi's provider of such
 * resources is served, and sees Node's globals and the project's packages. `pulumi.dynamic.Resource` would take the
 * same code as a function and make this text of it: with TypeScript's compiler, at a third of a second for each `up`,
 * and to another text whenever another loader or compiler was there before, which Pulumi takes for another provider,
 * and then replaces all that depends on it.
 */
export abstract class CodeResource extends pulumi.CustomResource {
  /**
   * @param code has an `exports.handler` that returns a resource provider.
   * @param outputs that the provider makes, beside its inputs `args`; the secret ones are encrypted in the state.
   */
  constructor(
    code: string,
    name: string,
    args: object,
    outputs: { secret: string[]; plain: string[] },
    options: pulumi.CustomResourceOptions,
  ) {
    const unknown = Object.fromEntries([...outputs.secret, ...outputs.plain].map((key) => [key, undefined]));
    super(
      'pulumi-nodejs:dynamic:Resource',
      name,
      { ...unknown, ...args, __provider: code },
      { ...options, additionalSecretOutputs: outputs.secret },
    );
  }
}
