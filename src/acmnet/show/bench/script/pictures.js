// The strip of pictures of a video, which the server makes when it is first asked for.
const ASK_AGAIN_MS = 1000;
const ASK_TIMES = 120;

// Resolves to the image; to null where there is none, or once it is not wanted any more.
export async function stripOf(url, isWanted = () => true) {
  for (let i = 0; i < ASK_TIMES && isWanted(); i++) {
    let answer;
    try { answer = await fetch(url); } catch { return null; }
    if (answer.status === 202) { await new Promise((done) => setTimeout(done, ASK_AGAIN_MS)); continue; }
    if (!answer.ok) return null;
    const image = new Image();
    image.src = URL.createObjectURL(await answer.blob());
    await image.decode().catch(() => {});
    URL.revokeObjectURL(image.src);
    return image.naturalWidth ? image : null;
  }
  return null;
}
