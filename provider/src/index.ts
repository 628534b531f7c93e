export { functionStatus, parseFunctionSpec } from './deployment.js';
export type { FunctionStatus } from './deployment.js';
export { FunctionExists, FunctionNotFound, InvalidFunction, ProviderError, ProviderUnavailable } from './errors.js';
export { handlerAnnotation, langAnnotation, minReplicas, nameFault } from './function-rules.js';
export { functionKey } from './provider.js';
export type {
  Endpoint, FunctionEvent, FunctionRef, FunctionSpec, FunctionState, LogLine, LogQuery, Provider, ProviderInfo, Resources,
} from './provider.js';
export { readStack } from './stack/read-stack.js';
export { StackError } from './stack/yaml-source.js';
