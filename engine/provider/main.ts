import { dockerProvider } from './docker-provider.js';
import { servePlugin } from './plugin.js';

/** The plugin `pulumi-resource-docker`. */
void servePlugin(dockerProvider);
