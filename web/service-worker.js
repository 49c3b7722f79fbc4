// Keeps the shell of the page (its own files) for when the server cannot be reached. Messages are
// never kept here: every request of the API goes to the server.

const SHELL = /^\/page\/[0-9a-f]+\/[a-z.-]+$/;

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== worker.location.origin) return;
  if (request.mode === "navigate" && url.pathname === "/") event.respondWith(page(request));
  else if (SHELL.test(url.pathname)) event.respondWith(file(request));
});

/**
 * The page itself: the server's if it answers, else the kept one.
 * @param {Request} request
 */
async function page(request) {
  const kept = await caches.open("page");
  let response;
  try {
    response = await fetch(request);
  } catch (error) {
    const found = await kept.match("/", { ignoreVary: true });
    if (found) return found;
    throw error;
  }
  await keep(kept, "/", response);
  return response;
}

/**
 * Keeps a response that is a success. The page needs no kept files while the server is there, so it
 * works with a full disk, too.
 * @param {Cache} kept
 * @param {RequestInfo} request
 * @param {Response} response
 */
async function keep(kept, request, response) {
  if (response.ok) await kept.put(request, response.clone()).catch(() => {});
}

/**
 * A file of a release never changes: the kept one is right. Files of other releases are dropped.
 * @param {Request} request
 */
async function file(request) {
  const folder = new URL(request.url).pathname.split("/")[2];
  const name = `files-${folder}`;
  const kept = await caches.open(name);
  const found = await kept.match(request);
  if (found) return found;
  const response = await fetch(request);
  if (response.ok) {
    await keep(kept, request, response);
    for (const other of await caches.keys()) {
      if (other.startsWith("files-") && other !== name) await caches.delete(other);
    }
  }
  return response;
}
