// One operation of huggingface.js with a large file; prints `works` or the status of the error.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const request = JSON.parse(readFileSync(0, "utf8"));
const { downloadFile, uploadFiles } = await import(pathToFileURL(request.library));
const options = { hubUrl: request.endpoint, accessToken: request.token ?? undefined };

async function content(repo, path, options) {
  const blob = await downloadFile({ repo, path, ...options });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return Buffer.from(bytes).toString("base64");
}

async function run() {
  const { repo, path, data } = request;
  if (request.operation === "upload") {
    const file = { path, content: new Blob([Buffer.from(data, "base64")]) };
    await uploadFiles({ repo, files: [file], ...options });
  }
  const reading = request.operation === "upload" ? { ...options, accessToken: request.reader } : options;
  return (await content(repo, path, reading)) === data ? "works" : "other content";
}

try {
  console.log(JSON.stringify(await run()));
} catch (error) {
  console.log(JSON.stringify(String(error.statusCode ?? error.stack)));
}
