import { servePlugin } from '../../../engine/provider/plugin.js';
import { awsProvider } from './provider.js';

/** The plugin `pulumi-resource-aws`, for tests. */
void servePlugin(awsProvider);
