/** What the worker must know of what is deployed. The gateway's table tells it in one process, HTTP elsewhere. */

export interface DeployedFunction {
  readonly name: string;
  readonly namespace: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface FunctionList {
  /**
   * Tells the whole list as soon as it is known, and again after each change.
   * @returns ends the watch
   */
  watch(listener: (functions: readonly DeployedFunction[]) => void): () => void;
}
