// Asks the server. A server that was started anew has a new token, which its page tells.
let token = document.querySelector("meta[name=acmnet-token]").content;
const PATIENCE_MS = 20_000;

// Resolves to what the server told; throws its sentence where it refuses.
export async function read(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

// Resolves to {status, told}; throws where no server answers.
export async function post(path, values, keepaliveBytes = 0) {
  const answer = await send(path, values, keepaliveBytes);
  if (answer.status !== 403) return answer;
  const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
  token = page.querySelector("meta[name=acmnet-token]")?.content ?? token;
  return send(path, values, keepaliveBytes);
}

async function send(path, values, keepaliveBytes) {
  const body = JSON.stringify(values);
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Acmnet-Token": token },
    body,
    keepalive: body.length < keepaliveBytes,
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  return { status: answer.status, told: await answer.json() };
}
