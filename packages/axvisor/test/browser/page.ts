/** What the programs of this folder use of a browser; the workspace's typings are Node's. */

interface BrowserWorker {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message: string }) => void) | null;
  postMessage(message: unknown, transfer: readonly unknown[]): void;
}

/** Of pages and of workers. */
export const browser = globalThis as unknown as {
  readonly Worker: new (url: URL, options: { readonly type: 'module' }) => BrowserWorker;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown, transfer: readonly unknown[]): void;
  onerror: ((message: unknown) => void) | null;
  onunhandledrejection: ((event: { readonly reason: unknown }) => void) | null;
};

/** Tells the test how it ended. */
export function report(result: object): void {
  void fetch('/result', { method: 'POST', body: JSON.stringify(result) });
}

/** Reports what goes wrong instead of a result. */
export function reportFailures(): void {
  browser.onerror = (message) => report({ error: String(message) });
  browser.onunhandledrejection = ({ reason }) => report({ error: reason instanceof Error ? (reason.stack ?? reason.message) : String(reason) });
}
