export { FunctionExists, FunctionNotFound, InvalidFunction, ProviderError, ProviderUnavailable } from './errors.js';
export { functionKey } from './provider.js';
export type {
  Endpoint, FunctionEvent, FunctionRef, FunctionSpec, FunctionState, LogLine, LogQuery, Provider, ProviderInfo, Resources,
} from './provider.js';
